import { canonicalJson, isJsonObject, type Json, type JsonObject } from "./canonical_json.ts"
import type { MadeFrom, MadeFromInput } from "./step_key.ts"

/** One thing that is not what it was. */
export interface Change {
  /** As a sentence: `config.skip changed 64 → 32`. */
  readonly text: string
  /** As a reason for something else: `skip 64 → 32`. */
  readonly short: string
}

const show = (value: Json | undefined): string => {
  if (value === undefined || value === null) return "none"
  const text = typeof value === "string" ? value : canonicalJson(value)
  return text.length > 40 ? `${text.slice(0, 37)}…` : text
}

/** Enough of a hash to tell it from another one. */
const showHash = (hash: Json | undefined): string =>
  typeof hash === "string" && hash !== "" ? `${hash.slice(0, 8)}…` : "none"

/** What two hashes are, one after the other. */
export const hashes = (from: Json | undefined, to: Json | undefined): string =>
  `sha256 ${showHash(from)} → ${showHash(to)}`

const asObject = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})

const isSame = (a: Json | undefined, b: Json | undefined): boolean =>
  canonicalJson(a ?? null) === canonicalJson(b ?? null)

const namesThatDiffer = (from: JsonObject, to: JsonObject): ReadonlyArray<string> =>
  [...new Set([...Object.keys(to), ...Object.keys(from)])].filter(
    (name) => !isSame(from[name], to[name]),
  )

const changed = (what: string, from: Json | undefined, to: Json | undefined, short = what) => {
  const values = `${show(from)} → ${show(to)}`
  return { text: `${what} changed ${values}`, short: `${short} ${values}` }
}

const configChanges = (before: MadeFrom, after: MadeFrom): ReadonlyArray<Change> => {
  const [from, to] = [asObject(before.material.config), asObject(after.material.config)]
  return namesThatDiffer(from, to).map((name) => {
    const [old, now] = [asObject(from[name]).file, asObject(to[name]).file]
    if (old === undefined || now === undefined) {
      // A path that is new or gone is told as it was given.
      const given = (made: MadeFrom) => asObject(made.paths)[name] ?? made.material.config[name]
      return changed(`config.${name}`, given(before), given(after), name)
    }
    const file = show(asObject(after.paths)[name])
    const values = hashes(old, now)
    return {
      text: `the content of config.${name} (${file}) changed: ${values}`,
      short: `${file}: ${values}`,
    }
  })
}

/** The modules that make the difference between two hashes of code. */
export type ModulesThatDiffer = (from: string, to: string) => ReadonlyArray<string>

const codeChanges = (
  before: Json | undefined,
  after: Json | undefined,
  what: string,
  modulesThatDiffer: ModulesThatDiffer,
): ReadonlyArray<Change> => {
  const [from, to] = [asObject(before), asObject(after)]
  const changes: Array<Change> = []
  if (typeof from.graph === "string" && typeof to.graph === "string") {
    if (from.graph !== to.graph) {
      const [first = what, ...more] = modulesThatDiffer(from.graph, to.graph)
      const others = more.length === 0 ? "" : ` and ${more.length} more`
      const code = `code of ${first}${others}`
      changes.push({ text: `${code} changed`, short: code })
    }
  } else if ("graph" in from !== "graph" in to) {
    const way = (code: JsonObject) => ("graph" in code ? "modules" : "package versions")
    changes.push(changed(`what stands for the code of ${what}`, way(from), way(to)))
  }
  for (const list of ["versions", "packages"]) {
    const [old, now] = [asObject(from[list]), asObject(to[list])]
    if (!(list in from && list in to)) continue
    for (const name of namesThatDiffer(old, now)) {
      changes.push(changed(`package ${name}`, old[name], now[name], name))
    }
  }
  return changes
}

/**
 * What a step itself is made from differently than before, most telling first: not what it is given
 * by other steps.
 */
export const ownChanges = (
  before: MadeFrom,
  after: MadeFrom,
  modulesThatDiffer: ModulesThatDiffer = () => [],
): ReadonlyArray<Change> => {
  const [from, to] = [before.material, after.material]
  if (from.use !== to.use) return [changed("the step itself", from.use, to.use, "use")]
  const changes = [...configChanges(before, after)]
  if (!isSame(from.seed, to.seed)) changes.push(changed("the seed", from.seed, to.seed, "seed"))
  const [old, now] = [asObject(from.device), asObject(to.device)]
  if (!isSame(old.name, now.name)) {
    changes.push(changed("the device", old.name, now.name, "device"))
  }
  if (from.version !== to.version) {
    changes.push(changed("the step's version", from.version, to.version, "version"))
  }
  changes.push(...codeChanges(from.code, to.code, to.use, modulesThatDiffer))
  changes.push(...codeChanges(old.code, now.code, "the device", modulesThatDiffer))
  return changes
}

/** One value that a step is given and that is not what it was; without `to` or `from`, gone or new. */
export interface InputChange {
  readonly input: string
  /** The name among several. */
  readonly name: string | undefined
  readonly from: MadeFromInput | undefined
  readonly to: MadeFromInput | undefined
}

const valuesOf = ({ inputs }: MadeFrom, input: string): ReadonlyArray<MadeFromInput> =>
  input in inputs ? inputs[input] : []

/** What a step is given differently than before. Inputs that `after` does not know yet are left out. */
export const inputChanges = (
  before: MadeFrom,
  after: MadeFrom,
  isMany: (input: string) => boolean,
): ReadonlyArray<InputChange> => {
  const inputs = [...new Set([...Object.keys(after.inputs), ...Object.keys(before.inputs)])]
  return inputs.flatMap((input): ReadonlyArray<InputChange> => {
    const [old, now] = [valuesOf(before, input), valuesOf(after, input)]
    if (!isMany(input)) {
      const change = { input, name: undefined, from: old[0], to: now[0] }
      return change.from?.sha256 === change.to?.sha256 ? [] : [change]
    }
    const names = [...new Set([...now, ...old].map(({ name }) => name))]
    const changes = names.flatMap((name) => {
      const find = (values: ReadonlyArray<MadeFromInput>) => values.find((one) => one.name === name)
      const change = { input, name, from: find(old), to: find(now) }
      return change.from?.sha256 === change.to?.sha256 ? [] : [change]
    })
    return changes
  })
}
