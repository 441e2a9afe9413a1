import { Effect, Result, Schema, SchemaIssue } from "effect"
import { isJsonObject, type JsonObject, toJson } from "./canonical_json.ts"
import type { DataFolder } from "./data_folder.ts"
import { suggest } from "./did_you_mean.ts"
import { locateInputFile } from "./input_file.ts"
import type { PipelineStep, Reference } from "./pipeline.ts"
import type { DocumentPath, PipelineSource } from "./pipeline_file.ts"
import {
  InvalidValue,
  type PipelineProblem,
  TypeMismatch,
  UnknownKey,
  UnknownReference,
} from "./problem.ts"
import { parseReferenceText } from "./reference.ts"
import type { Sandbox } from "./sandbox.ts"
import type { ErasedInput, Step } from "./step.ts"

/** What the check of one step works with. */
export interface StepCheck<R> {
  readonly source: PipelineSource
  readonly id: string
  readonly step: Step<R>
  readonly fields: Readonly<Record<string, unknown>>
  /** The steps of the whole pipeline; one whose own `use` is unknown has no step. */
  readonly steps: ReadonlyMap<string, Step<R> | undefined>
  readonly dataFolder: DataFolder
  /** At most so many of what `limited` of the step names. */
  readonly limit: number | undefined
  readonly sandbox: Sandbox | undefined
  readonly report: (problem: PipelineProblem) => void
}

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** The place of a value of a document, as the problems want it. */
export const placeOf = (source: PipelineSource, path: DocumentPath, part: "key" | "value") => ({
  ...source.origin(path, part),
  at: path.join("."),
})

const show = (value: unknown): string => {
  const text = JSON.stringify(toJson(value))
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

const valueAt = (value: unknown, path: DocumentPath): unknown =>
  path.reduce<unknown>(
    (inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key],
    value,
  )

const checkConfig = <R>(
  { source, id, step, report }: StepCheck<R>,
  given: Readonly<Record<string, unknown>>,
): { readonly config: unknown; readonly encoded: JsonObject } | undefined => {
  const decoded = Schema.decodeUnknownResult(step.config, {
    errors: "all",
    onExcessProperty: "error",
  })(given)
  if (Result.isSuccess(decoded)) {
    const encoded = toJson(Schema.encodeSync(step.config)(decoded.success))
    return { config: decoded.success, encoded: isJsonObject(encoded) ? encoded : {} }
  }
  for (const issue of formatIssues(decoded.failure.issue).issues) {
    const inner = (issue.path ?? []).map((part) =>
      String(typeof part === "object" ? part.key : part),
    )
    const path = ["steps", id, ...inner]
    const missing = inner.length > 0 && valueAt(given, inner) === undefined
    report(
      new InvalidValue({
        ...(missing
          ? { ...placeOf(source, ["steps", id], "key"), at: path.join(".") }
          : placeOf(source, path, "value")),
        detail: missing ? "is missing" : `${issue.message}, found ${show(valueAt(given, inner))}`,
        hint: missing
          ? `give the step a value for "${inner.join(".")}"; \`espalier steps\` lists what ${step.use} takes`
          : `correct the value; \`espalier steps\` lists what ${step.use} takes`,
      }),
    )
  }
  return undefined
}

const parseReference = <R>(
  check: StepCheck<R>,
  path: DocumentPath,
  text: unknown,
  input: ErasedInput<R>,
): Omit<Reference, "name"> | undefined => {
  const { source, steps, report } = check
  const place = placeOf(source, path, "value")
  const written = parseReferenceText(text)
  if (typeof text !== "string" || written === undefined) {
    const known = typeof text === "string" && steps.has(text)
    report(
      new InvalidValue({
        ...place,
        detail: `takes a $reference to a ${input.type.name}, found ${show(text)}`,
        hint: known ? `write $${text}` : "write $ and the name of a step, e.g. $model",
      }),
    )
    return undefined
  }
  const { step: target, output } = written
  if (!steps.has(target)) {
    const known = [...steps.keys()]
    const hint = suggest(target, known, "steps of this pipeline")
    report(
      new UnknownReference({
        ...place,
        reference: text,
        detail: "there is no such step",
        known,
        hint,
      }),
    )
    return undefined
  }
  const referred = steps.get(target)
  if (referred === undefined) return undefined
  const outputs = Object.keys(referred.outputs)
  const known = [...outputs, "metrics"].map((name) => `$${target}.${name}`)
  const wantsMetrics = input.type.name === "Metrics"
  const name = output ?? (wantsMetrics ? "metrics" : outputs.length === 1 ? outputs[0] : undefined)
  if (name === undefined) {
    report(
      new UnknownReference({
        ...place,
        reference: text,
        detail:
          outputs.length === 0
            ? `${referred.use} has metrics and no output`
            : `${referred.use} has several outputs`,
        known,
        hint:
          outputs.length === 0
            ? `a ${input.type.name} is needed here: refer to a step that makes one`
            : `name one of them: ${known.join(", ")}`,
      }),
    )
    return undefined
  }
  if (name !== "metrics" && !outputs.includes(name)) {
    report(
      new UnknownReference({
        ...place,
        reference: text,
        detail: `${referred.use} has no output "${name}"`,
        known,
        hint: suggest(text, known, "outputs"),
      }),
    )
    return undefined
  }
  const found = name === "metrics" ? "Metrics" : referred.outputs[name].name
  if (found !== input.type.name) {
    const hint = `refer to a step that makes a ${input.type.name}`
    report(new TypeMismatch({ ...place, reference: text, expected: input.type.name, found, hint }))
    return undefined
  }
  return { step: target, output: name }
}

const checkInput = <R>(
  check: StepCheck<R>,
  key: string,
  input: ErasedInput<R>,
): ReadonlyArray<Reference> => {
  const value = check.fields[key]
  const path: DocumentPath = ["steps", check.id, key]
  if (value === undefined || value === null) {
    if (!input.optional) {
      check.report(
        new InvalidValue({
          ...placeOf(check.source, ["steps", check.id], "key"),
          at: path.join("."),
          detail: "is missing",
          hint: `give the step ${key}: $NAME, where NAME is a step that makes a ${input.type.name}`,
        }),
      )
    }
    return []
  }
  const entries: ReadonlyArray<readonly [string | number | undefined, unknown]> = !input.many
    ? [[undefined, value]]
    : Array.isArray(value)
      ? value.map((item: unknown, index) => [index, item] as const)
      : typeof value === "object"
        ? Object.entries(value)
        : [[undefined, value]]
  return entries.flatMap(([name, text]) => {
    const reference = parseReference(
      check,
      name === undefined ? path : [...path, name],
      text,
      input,
    )
    return reference === undefined
      ? []
      : [{ ...reference, name: typeof name === "string" ? name : String(text).slice(1) }]
  })
}

const checkPath = <R>(
  { source, id, dataFolder, sandbox, report }: StepCheck<R>,
  key: string,
  given: string,
) =>
  locateInputFile({
    given,
    sandbox,
    folder: source.folder,
    dataFolder,
    place: placeOf(source, ["steps", id, key], "value"),
    relativeTo: "the pipeline file",
  }).pipe(
    Effect.catch((problem) => {
      report(problem)
      return Effect.succeed(undefined)
    }),
  )

/** The counts of a configuration that are above the limit, or open, cut to it. */
const cutToLimit = <R>(
  { step: { limited }, limit }: StepCheck<R>,
  encoded: JsonObject,
): JsonObject | undefined => {
  if (limit === undefined) return undefined
  const above = limited.filter((key) => !(Number(encoded[key] ?? Infinity) <= limit))
  return above.length === 0 ? undefined : Object.fromEntries(above.map((key) => [key, limit]))
}

/**
 * Checks one step of a document against its definition and reports every problem. The result is
 * meaningful only if none was reported.
 */
export const checkStep = Effect.fnUntraced(function* <R>(check: StepCheck<R>) {
  const { id, step, source, fields, report } = check
  const keys = [...Object.keys(step.config.fields), ...Object.keys(step.inputs)]
  for (const key of Object.keys(fields)) {
    if (key === "use" || keys.includes(key)) continue
    const hint = suggest(key, keys, `keys of ${step.use}`)
    report(
      new UnknownKey({ ...placeOf(source, ["steps", id, key], "key"), key, known: keys, hint }),
    )
  }
  const given = Object.fromEntries(
    Object.keys(step.config.fields)
      .filter((key) => fields[key] !== undefined && fields[key] !== null)
      .map((key) => [key, fields[key]]),
  )
  const free = checkConfig(check, given)
  const cut = cutToLimit(check, free?.encoded ?? {})
  const checked = cut === undefined ? free : checkConfig(check, { ...given, ...cut })
  const inputs: Record<string, ReadonlyArray<Reference>> = {}
  for (const [key, input] of Object.entries(step.inputs)) {
    const references = checkInput(check, key, input)
    if (references.length > 0) inputs[key] = references
  }
  const paths: Record<string, string> = {}
  for (const key of step.paths) {
    const value = checked?.encoded[key] ?? given[key]
    if (typeof value !== "string") continue
    const absolute = yield* checkPath(check, key, value)
    if (absolute !== undefined) paths[key] = absolute
  }
  const needs = new Set(
    Object.values(inputs).flatMap((references) => references.map((reference) => reference.step)),
  )
  const result: PipelineStep<R> = {
    id,
    step,
    config: checked?.config,
    encodedConfig: checked?.encoded ?? {},
    paths,
    inputs,
    needs: [...needs],
  }
  return result
})
