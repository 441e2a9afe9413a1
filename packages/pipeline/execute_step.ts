import { Checkpoint, HostFallbacks, Notices, Progress } from "@espalier/runtime"
import { Clock, DateTime, Effect } from "effect"
import { isJsonObject, toJson } from "./canonical_json.ts"
import type { PipelineStep, Reference } from "./pipeline.ts"
import { PipelineDevice } from "./pipeline_device.ts"
import type { RunEvent } from "./run_event.ts"
import { Store } from "./store.ts"
import type { StoredOutput, StoreEntry } from "./store_entry.ts"

/**
 * Decodes the values that steps take, each once while a step that takes it is still to come. Values
 * always come out of the store, never straight from the step that made them.
 */
export const makeInputReader = <R>(steps: ReadonlyArray<PipelineStep<R>>) => {
  const decoded = new Map<string, unknown>()
  const name = ({ step, output }: Omit<Reference, "name">) => `${step}.${output}`
  const read = Effect.fnUntraced(function* (
    planned: PipelineStep<R>,
    results: ReadonlyMap<string, StoreEntry>,
  ) {
    const store = yield* Store
    const valueOf = Effect.fnUntraced(function* (input: string, reference: Reference) {
      const entry = results.get(reference.step)
      if (entry === undefined)
        return yield* Effect.die(new Error(`${reference.step} has no result`))
      if (reference.output === "metrics") return entry.metrics
      if (decoded.has(name(reference))) return decoded.get(name(reference))
      const files = yield* store.readFiles(entry.outputs[reference.output].files)
      const value = yield* planned.step.inputs[input].type.decode(files)
      decoded.set(name(reference), value)
      return value
    })
    const values: Record<string, unknown> = {}
    for (const [input, references] of Object.entries(planned.inputs)) {
      const named = yield* Effect.forEach(references, (reference) =>
        Effect.map(valueOf(input, reference), (value) => ({ name: reference.name, value })),
      )
      values[input] = planned.step.inputs[input].many ? named : named[0].value
    }
    for (const [input, { many }] of Object.entries(planned.step.inputs)) {
      if (many) values[input] ??= []
    }
    return values
  })
  /** Forgets the values that no step from `index` on takes. */
  const forget = (index: number) => {
    const ahead = new Set(
      steps.slice(index).flatMap(({ inputs }) => Object.values(inputs).flat().map(name)),
    )
    for (const key of decoded.keys()) if (!ahead.has(key)) decoded.delete(key)
  }
  return { read, forget }
}

/** Runs one step with everything that a run provides, and keeps its result. */
export const executeStep = Effect.fnUntraced(function* <R>(
  planned: PipelineStep<R>,
  context: {
    readonly key: string
    readonly seed: number
    readonly inputs: Readonly<Record<string, unknown>>
    readonly emit: (event: RunEvent) => Effect.Effect<void>
    readonly notices: ReadonlyArray<string>
  },
) {
  const store = yield* Store
  const device = yield* PipelineDevice
  const { id, step } = planned
  const { key, emit } = context
  const notices = new Set(context.notices)
  const started = yield* Clock.currentTimeMillis
  const dispatchesBefore = device.dispatches()
  const [result, hostFallbacks] = yield* step
    .execute({
      id,
      config: planned.config,
      inputs: context.inputs,
      seed: context.seed,
      paths: planned.paths,
    })
    .pipe(
      HostFallbacks.collect,
      Effect.provideService(Progress, {
        report: (update) => emit({ _tag: "StepProgress", id, update }),
      }),
      Effect.provideService(Checkpoint, store.checkpoints(key)),
      Effect.provideService(Notices, {
        report: (message) =>
          Effect.suspend(() => {
            if (notices.has(message)) return Effect.void
            notices.add(message)
            return emit({ _tag: "StepNotice", id, message })
          }),
      }),
    )
  const outputs: Record<string, StoredOutput> = {}
  for (const [name, type] of Object.entries(step.outputs)) {
    outputs[name] = yield* store.putOutput(type.name, yield* type.encode(result.outputs[name]))
  }
  const encoder = new TextEncoder()
  const files = yield* store.putFiles(
    Object.fromEntries(
      Object.entries(result.files).map(([name, content]) => [
        name,
        typeof content === "string" ? encoder.encode(content) : content,
      ]),
    ),
  )
  const metrics = toJson(result.metrics)
  const entry: StoreEntry = {
    key,
    use: step.use,
    outputs,
    files,
    metrics: isJsonObject(metrics) ? metrics : {},
    seconds: ((yield* Clock.currentTimeMillis) - started) / 1000,
    dispatches: device.dispatches() - dispatchesBefore,
    hostFallbacks,
    notices: [...notices],
    finished: DateTime.formatIso(yield* DateTime.now),
  }
  yield* store.putEntry(entry)
  yield* store.clearCheckpoints(key)
  return entry
})
