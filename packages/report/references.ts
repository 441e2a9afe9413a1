import { isJsonObject } from "./json.ts"
import { parseStepId } from "./step_id.ts"

/** A `$reference` in a step's configuration. */
export interface Reference {
  /** Where it stands: `model`, or `rows.dense`. */
  readonly key: string
  /** The step that it names. */
  readonly step: string
}

/** Finds the step that a text refers to, or all combinations of a sweep; none where it is no reference. */
export const referenceReader = (ids: ReadonlyArray<string>) => {
  const known = new Set(ids)
  const combinations = new Map<string, Array<string>>()
  for (const id of ids) {
    const { base, variables } = parseStepId(id)
    if (variables.length > 0) combinations.set(base, [...(combinations.get(base) ?? []), id])
  }
  const named = (target: string): ReadonlyArray<string> =>
    known.has(target) ? [target] : (combinations.get(target) ?? [])
  return (text: string): ReadonlyArray<string> => {
    if (!text.startsWith("$")) return []
    const target = text.slice(1)
    const whole = named(target)
    if (whole.length > 0) return whole
    // `$step.output`; a value in a sweep's brackets may have points too.
    const at = target.indexOf(".", target.lastIndexOf("]") + 1)
    return at === -1 ? [] : named(target.slice(0, at))
  }
}

/** All references in a step's configuration, in the order of its keys. */
export const referencesIn = (
  value: unknown,
  read: (text: string) => ReadonlyArray<string>,
  key = "",
): ReadonlyArray<Reference> => {
  if (typeof value === "string") return read(value).map((step) => ({ key, step }))
  const below = (name: string) => (key === "" ? name : `${key}.${name}`)
  if (Array.isArray(value)) {
    return value.flatMap((item, i) => referencesIn(item, read, below(String(i))))
  }
  if (!isJsonObject(value)) return []
  return Object.entries(value).flatMap(([name, item]) => referencesIn(item, read, below(name)))
}
