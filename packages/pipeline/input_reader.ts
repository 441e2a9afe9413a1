import { Effect } from "effect"
import type { JobInput, JobValue } from "./executor.ts"
import type { PipelineStep, Reference } from "./pipeline.ts"
import { Store } from "./store.ts"
import type { StoreEntry } from "./store_entry.ts"

const nameOf = ({ step, output }: Omit<Reference, "name">) => `${step}.${output}`

/** The values that a step takes, as the store has them. */
export const jobValues = <R>(
  planned: PipelineStep<R>,
  results: ReadonlyMap<string, StoreEntry>,
): Readonly<Record<string, ReadonlyArray<JobInput>>> => {
  const valueOf = ({ step, output }: Reference): JobValue => {
    const entry = results.get(step)
    if (entry === undefined) throw new RangeError(`${step} has no result`)
    return output === "metrics"
      ? { _tag: "Metrics", metrics: entry.metrics }
      : { _tag: "Files", files: entry.outputs[output].files }
  }
  return Object.fromEntries(
    Object.entries(planned.inputs).map(([input, references]) => [
      input,
      references.map((reference) => ({ name: reference.name, value: valueOf(reference) })),
    ]),
  )
}

/** Decodes one value that a step takes. */
const decodeValue = Effect.fnUntraced(function* <R>(
  { step }: PipelineStep<R>,
  input: string,
  value: JobValue,
) {
  if (value._tag === "Metrics") return value.metrics
  const store = yield* Store
  return yield* step.inputs[input].type.decode(yield* store.readFiles(value.files))
})

/** What a step's `run` gets, given how each value is had. */
export const readInputs = Effect.fnUntraced(function* <R, E, R2>(
  { step }: PipelineStep<R>,
  values: Readonly<Record<string, ReadonlyArray<JobInput>>>,
  read: (input: string, index: number, value: JobValue) => Effect.Effect<unknown, E, R2>,
) {
  const inputs: Record<string, unknown> = {}
  for (const [input, given] of Object.entries(values)) {
    const named: Array<{ readonly name: string; readonly value: unknown }> = []
    for (const [index, { name, value }] of given.entries()) {
      named.push({ name, value: yield* read(input, index, value) })
    }
    inputs[input] = step.inputs[input].many ? named : named[0].value
  }
  for (const [input, { many }] of Object.entries(step.inputs)) {
    if (many) inputs[input] ??= []
  }
  return inputs
})

/** Decodes what a step takes, for whoever takes nothing else from this process. */
export const readJobInputs = <R>(
  planned: PipelineStep<R>,
  values: Readonly<Record<string, ReadonlyArray<JobInput>>>,
) => readInputs(planned, values, (input, _, value) => decodeValue(planned, input, value))

/**
 * Decodes the values that steps take, each once while a step that takes it is still to come. Values
 * always come out of the store, never straight from the step that made them.
 */
export const makeInputReader = <R>(steps: ReadonlyArray<PipelineStep<R>>) => {
  const decoded = new Map<string, unknown>()
  const takers = new Map<string, number>()
  const referencesOf = ({ inputs }: PipelineStep<R>) => Object.values(inputs).flat().map(nameOf)
  for (const name of steps.flatMap(referencesOf)) takers.set(name, (takers.get(name) ?? 0) + 1)
  const read = (
    planned: PipelineStep<R>,
    values: Readonly<Record<string, ReadonlyArray<JobInput>>>,
  ) =>
    readInputs(planned, values, (input, index, value) =>
      Effect.gen(function* () {
        const name = nameOf(planned.inputs[input][index])
        if (decoded.has(name)) return decoded.get(name)
        const found = yield* decodeValue(planned, input, value)
        // While this was read, others that take it too may have finished.
        if ((takers.get(name) ?? 0) > 1) decoded.set(name, found)
        return found
      }),
    )
  /** Says that a step needs its values no longer. */
  const forget = (planned: PipelineStep<R>): void => {
    for (const name of referencesOf(planned)) {
      const left = (takers.get(name) ?? 0) - 1
      takers.set(name, left)
      if (left <= 0) decoded.delete(name)
    }
  }
  return { read, forget }
}
