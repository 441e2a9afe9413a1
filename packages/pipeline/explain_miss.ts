import { Effect, Option } from "effect"
import { isJsonObject, type Json, type JsonObject } from "./canonical_json.ts"
import {
  type Change,
  hashes,
  type InputChange,
  inputChanges,
  ownChanges,
} from "./explain_change.ts"
import type { PipelineStep } from "./pipeline.ts"
import { codeInStore, type PipelineCode } from "./code/pipeline_code.ts"
import type { MadeFrom } from "./step_key.ts"
import { Store } from "./store.ts"
import type { StoreEntry } from "./store_entry.ts"
import type { StoreError } from "./store_error.ts"

/** The step that something begins with, and why it runs. */
export interface Root {
  readonly id: string
  readonly reason: string
}

/** What explanations are made of. */
export interface Known {
  readonly code: Pick<PipelineCode, "modulesOf">
  readonly results: ReadonlyMap<string, StoreEntry>
  /** The steps that have no result yet, and what each of them waits for in the end. */
  readonly roots?: ReadonlyMap<string, Root>
}

const asMadeFrom = (value: Json | undefined): MadeFrom | undefined =>
  isJsonObject(value) &&
  isJsonObject(value.material) &&
  value.material.format === 2 &&
  isJsonObject(value.inputs) &&
  isJsonObject(value.paths)
    ? (value as MadeFrom)
    : undefined

/** The hashes of code that a key is made of. */
const graphsOf = ({ material }: MadeFrom): ReadonlyArray<string> =>
  [material.code, material.device?.code].flatMap((code) =>
    isJsonObject(code) && typeof code.graph === "string" ? [code.graph] : [],
  )

/** Remembers what a step was made from, to explain why it is made anew the next time. */
export const rememberMadeFrom = Effect.fnUntraced(function* (
  pipeline: string,
  id: string,
  made: MadeFrom,
  code: Pick<PipelineCode, "modulesOf">,
) {
  const store = yield* Store
  for (const graph of graphsOf(made)) {
    if (Option.isSome(yield* store.latest(codeInStore, graph))) continue
    const modules = yield* code.modulesOf(graph)
    if (Object.keys(modules).length > 0) yield* store.putLatest(codeInStore, graph, modules)
  }
  yield* store.putLatest(pipeline, id, made)
})

const modulesThatDiffer = (from: JsonObject, to: JsonObject): ReadonlyArray<string> => {
  // Where one side is not known, nothing can be said.
  if (Object.keys(from).length === 0 || Object.keys(to).length === 0) return []
  const names = [...new Set([...Object.keys(to), ...Object.keys(from)])].toSorted()
  return names.filter((name) => from[name] !== to[name])
}

/** As {@link ownChanges}, with the names of the modules that changed. */
const ownChangesOf = Effect.fnUntraced(function* (
  before: MadeFrom,
  after: MadeFrom,
  code: Pick<PipelineCode, "modulesOf">,
) {
  const store = yield* Store
  const [old, now] = [graphsOf(before), graphsOf(after)]
  const modules = new Map<string, JsonObject>()
  for (const graph of [...old, ...now]) {
    if (old.includes(graph) && now.includes(graph)) continue
    const kept = Option.getOrElse(yield* store.latest(codeInStore, graph), () => ({}))
    modules.set(graph, Object.keys(kept).length > 0 ? kept : yield* code.modulesOf(graph))
  }
  return ownChanges(before, after, (from, to) =>
    modulesThatDiffer(modules.get(from) ?? {}, modules.get(to) ?? {}),
  )
})

const isMany = (before: MadeFrom, after: MadeFrom) => (input: string) =>
  Array.isArray(after.material.inputs[input] ?? before.material.inputs[input])

interface Cause {
  readonly step: string
  readonly change: Change
}

/** The first thing that made a value another one: in the step that it came from, or before it. */
const findCause = Effect.fnUntraced(function* (
  change: InputChange,
  known: Known,
): Effect.fn.Return<Cause | undefined, StoreError, Store> {
  const { from, to } = change
  if (from === undefined || to === undefined) return undefined
  if (from.key === to.key || from.step !== to.step) return undefined
  const store = yield* Store
  const found = yield* store.lookup(from.key)
  const before = found._tag === "Hit" ? asMadeFrom(found.entry.made) : undefined
  const after = asMadeFrom(known.results.get(to.step)?.made)
  if (before === undefined || after === undefined) return undefined
  const [own] = yield* ownChangesOf(before, after, known.code)
  if (own !== undefined) return { step: to.step, change: own }
  const [further] = inputChanges(before, after, isMany(before, after))
  return further === undefined ? undefined : yield* findCause(further, known)
})

const explainInput = Effect.fnUntraced(function* <R>(
  planned: PipelineStep<R>,
  change: InputChange,
  known: Known,
) {
  const { input, name, from, to } = change
  const which = name === undefined ? input : `${input}.${name}`
  if (from === undefined) return `input ${which} was added`
  if (to === undefined) return `input ${which} was removed`
  if (from.step !== to.step || from.output !== to.output) {
    return `input ${which} changed $${from.step}.${from.output} → $${to.step}.${to.output}`
  }
  const type = planned.step.inputs[input].type.name.toLowerCase()
  const label = type === which.toLowerCase() ? type : `${which} ${type}`
  const cause = yield* findCause(change, known)
  const because = cause === undefined ? "" : `, because ${cause.change.short} in ${cause.step}`
  return `${label}: ${hashes(from.sha256, to.sha256)}${because}`
})

/** Which inputs wait for a step that has no result yet, each told once. */
const explainWaiting = <R>(
  planned: PipelineStep<R>,
  roots: ReadonlyMap<string, Root>,
): ReadonlyArray<string> =>
  Object.entries(planned.inputs).flatMap(([input, references]) => {
    const first = references.flatMap(({ step }) => roots.get(step) ?? [])[0]
    return first === undefined ? [] : [`${input} may change: ${first.id} runs (${first.reason})`]
  })

/**
 * Why a step whose key the store does not have has to run: what is different from the last time, what
 * a person changed first. Where an input is another one, the first thing before it that made it so.
 */
export const explainMiss = Effect.fnUntraced(function* <R>(
  pipeline: string,
  planned: PipelineStep<R>,
  after: MadeFrom,
  known: Known,
) {
  const store = yield* Store
  const latest = yield* store.latest(pipeline, planned.id)
  if (Option.isNone(latest)) return ["never run"]
  const before = asMadeFrom(latest.value)
  if (before === undefined) return ["its last result is of a version that made keys otherwise"]
  const roots = known.roots ?? new Map<string, Root>()
  const waits = ({ input, name, to }: InputChange): boolean =>
    to === undefined &&
    (planned.inputs[input] ?? []).some(
      (reference) => roots.has(reference.step) && (name === undefined || name === reference.name),
    )
  const reasons = (yield* ownChangesOf(before, after, known.code)).map(({ text }) => text)
  for (const change of inputChanges(before, after, isMany(before, after))) {
    if (!waits(change)) reasons.push(yield* explainInput(planned, change, known))
  }
  reasons.push(...explainWaiting(planned, roots))
  return reasons.length > 0 ? reasons : ["its result is no longer in the store"]
})
