import { Predicate } from "effect"
import { canonicalJson, toJson } from "./canonical_json.ts"
import { placeOf } from "./check_step.ts"
import type { PipelineSource } from "./pipeline_file.ts"
import { InvalidValue, type PipelineProblem } from "./problem.ts"
import { parseReferenceText, type WrittenReference, withStep } from "./reference.ts"
import type { Step } from "./step.ts"
import { findCycle, orderByNeeds } from "./step_order.ts"

type Fields = Readonly<Record<string, unknown>>

/** One value of one axis: the step that has the axis, its field, and the value there. */
interface Coordinate {
  readonly origin: string
  readonly field: string
  readonly value: unknown
}

/** The coordinates of a combination, by origin and field. */
type Combination = ReadonlyMap<string, Coordinate>

/** One of the steps that a step with combinations becomes. */
interface Variant {
  readonly id: string
  readonly combination: Combination
}

const valueText = (value: unknown): string => {
  const text = typeof value === "string" ? value : canonicalJson(toJson(value))
  // Names of steps are names of files, and end at a bracket.
  return text.replace(/[\s/\\[\]]/g, "_")
}

/** `[sparsity=0.5,bits=4]`; an axis says whose it is where two have the same field. */
const labelOf = (combination: Combination): string => {
  const coordinates = [...combination.values()]
  const parts = coordinates.map(({ origin, field, value }) => {
    const isAlone = coordinates.filter((other) => other.field === field).length === 1
    return `${isAlone ? field : `${origin}.${field}`}=${valueText(value)}`
  })
  return parts.length === 0 ? "" : `[${parts.join(",")}]`
}

/** Both combinations in one; `undefined` where they disagree. */
const join = (a: Combination, b: Combination): Combination | undefined => {
  for (const [axis, { value }] of b) {
    const other = a.get(axis)
    if (other !== undefined && other.value !== value) return undefined
  }
  return new Map([...a, ...b])
}

/** Every pair that agrees. */
const joinAll = (
  as: ReadonlyArray<Combination>,
  bs: ReadonlyArray<Combination>,
): ReadonlyArray<Combination> =>
  as.flatMap((a) =>
    bs.flatMap((b) => {
      const both = join(a, b)
      return both === undefined ? [] : [both]
    }),
  )

/** The references that stand in a field: one, or those of a list or map. */
const referencesIn = (value: unknown): ReadonlyArray<WrittenReference> => {
  const values = Predicate.isObject(value) ? Object.values(value) : [value]
  return values.flatMap((each) => {
    const reference = parseReferenceText(each)
    return reference === undefined ? [] : [reference]
  })
}

/** The axes that a step has itself, and what is wrong with them. */
const ownAxes = (
  source: PipelineSource,
  id: string,
  fields: Fields,
  report: (problem: PipelineProblem) => void,
): ReadonlyArray<readonly [field: string, values: ReadonlyArray<unknown>]> => {
  const { matrix } = fields
  if (matrix === undefined || matrix === null) return []
  const refuse = (path: ReadonlyArray<string>, detail: string, hint: string) => {
    const place = placeOf(source, ["steps", id, "matrix", ...path], "value")
    report(new InvalidValue({ ...place, detail, hint }))
  }
  if (!Predicate.isObject(matrix) || Array.isArray(matrix)) {
    refuse(
      [],
      "must be a map from keys to lists of values",
      "write matrix: { sparsity: [0.5, 0.7] }",
    )
    return []
  }
  return Object.entries(matrix).flatMap(([field, values]) => {
    if (!Array.isArray(values) || values.length === 0) {
      refuse([field], "must be a list of values", `write ${field}: [one, two]`)
      return []
    }
    const texts = values.map(valueText)
    const twice = texts.find((text, i) => texts.indexOf(text) < i)
    if (twice !== undefined) {
      refuse([field], `has ${twice} twice`, "name each value once")
      return []
    }
    if (fields[field] !== undefined) {
      refuse([field], `${id}.${field} has a value as well`, "leave one of them out")
      return []
    }
    return [[field, values] as const]
  })
}

/** The steps that each step refers to, by the name that is written there without brackets. */
const needsOf = (steps: Fields): Map<string, ReadonlyArray<string>> =>
  new Map(
    Object.entries(steps).map(([id, body]) => [
      id,
      (Predicate.isObject(body) ? Object.values(body as Fields) : [])
        .flatMap(referencesIn)
        .map(({ step }) => step.replace(/\[.*$/s, ""))
        .filter((step) => step in steps),
    ]),
  )

/** Puts the variants of a step into the place of the references to it, in an input that takes many. */
const expandMany = (
  value: unknown,
  combination: Combination,
  variantsOf: (step: string) => ReadonlyArray<Variant> | undefined,
): unknown => {
  const each = (entry: unknown): ReadonlyArray<readonly [label: string, reference: unknown]> => {
    const reference = parseReferenceText(entry)
    const variants = reference === undefined ? undefined : variantsOf(reference.step)
    if (reference === undefined || variants === undefined) return [["", entry]]
    return variants.flatMap((variant) => {
      if (join(combination, variant.combination) === undefined) return []
      const open = [...variant.combination].filter(([axis]) => !combination.has(axis))
      return [[labelOf(new Map(open)), withStep(reference, variant.id)] as const]
    })
  }
  if (Array.isArray(value)) return value.flatMap((entry) => each(entry).map(([, text]) => text))
  if (!Predicate.isObject(value)) return each(value).map(([, text]) => text)
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, entry]) =>
      each(entry).map(([label, text]) => [`${name}${label}`, text]),
    ),
  )
}

/**
 * A pipeline without `matrix`: a step that has one becomes a step for each combination of its values,
 * `pruned[sparsity=0.5]`, and so does each step that takes it as one input. Inputs that take many
 * get all of them. Where a step takes two that stem from the same axis it gets them pairwise.
 */
export const expandMatrix = <R>(
  source: PipelineSource,
  registry: ReadonlyMap<string, Step<R>>,
  report: (problem: PipelineProblem) => void,
): PipelineSource => {
  const document = source.document as Fields
  const steps = document["steps"]
  if (!Predicate.isObject(steps) || Array.isArray(steps)) return source
  const bodies = steps as Fields
  const hasMatrix = (body: unknown) => Predicate.isObject(body) && "matrix" in body
  if (!Object.values(bodies).some(hasMatrix)) return source
  const needs = needsOf(bodies)
  // A cycle is told where the pipeline is checked.
  if (findCycle(needs) !== undefined) return source
  const variants = new Map<string, ReadonlyArray<Variant>>()
  const variantsOf = (step: string) => variants.get(step)
  const expanded = new Map<string, ReadonlyArray<readonly [id: string, body: unknown]>>()
  const origins = new Map<string, Readonly<{ id: string; axes: ReadonlySet<string> }>>()
  for (const id of orderByNeeds(needs)) {
    const body = bodies[id]
    if (!Predicate.isObject(body)) {
      expanded.set(id, [[id, body]])
      continue
    }
    const fields = body as Fields
    const axes = ownAxes(source, id, fields, report)
    const inputs = registry.get(String(fields["use"]))?.inputs ?? {}
    let combinations: ReadonlyArray<Combination> = [new Map()]
    for (const [input, { many }] of Object.entries(inputs)) {
      const reference = many ? undefined : parseReferenceText(fields[input])
      const found = reference === undefined ? undefined : variantsOf(reference.step)
      if (found === undefined) continue
      combinations = joinAll(
        combinations,
        found.map(({ combination }) => combination),
      )
    }
    for (const [field, values] of axes) {
      combinations = joinAll(
        combinations,
        values.map((value) => new Map([[`${id}.${field}`, { origin: id, field, value }]])),
      )
    }
    const own = combinations.map((combination) => ({ id: id + labelOf(combination), combination }))
    if (own.some(({ combination }) => combination.size > 0)) variants.set(id, own)
    expanded.set(
      id,
      own.map((variant) => {
        const { matrix: _, ...rest } = fields
        const changed: Record<string, unknown> = { ...rest }
        for (const [field] of axes)
          changed[field] = variant.combination.get(`${id}.${field}`)?.value
        for (const [input, { many }] of Object.entries(inputs)) {
          if (fields[input] === undefined) continue
          if (many) {
            changed[input] = expandMany(fields[input], variant.combination, variantsOf)
            continue
          }
          const reference = parseReferenceText(fields[input])
          const one =
            reference &&
            variantsOf(reference.step)?.find((other) =>
              [...other.combination].every(
                ([axis, { value }]) => variant.combination.get(axis)?.value === value,
              ),
            )
          if (reference !== undefined && one !== undefined) {
            changed[input] = withStep(reference, one.id)
          }
        }
        origins.set(variant.id, { id, axes: new Set(axes.map(([field]) => field)) })
        return [variant.id, changed] as const
      }),
    )
  }
  const written = Object.keys(bodies).flatMap((id) => expanded.get(id) ?? [])
  return {
    ...source,
    document: { ...document, steps: Object.fromEntries(written) },
    origin: (path, part) => {
      const [head, step, field, ...rest] = path
      const origin = head === "steps" ? origins.get(String(step)) : undefined
      if (origin === undefined) return source.origin(path, part)
      if (field === undefined) return source.origin([head, origin.id], part)
      const inMatrix = origin.axes.has(String(field)) ? ["matrix"] : []
      return source.origin([head, origin.id, ...inMatrix, field, ...rest], part)
    },
  }
}
