import { Checkpoint, HostFallbacks, Notices, Progress } from "@espalier/runtime"
import { Clock, DateTime, Effect } from "effect"
import { isJsonObject, toJson } from "./canonical_json.ts"
import type { StepJob } from "./executor.ts"
import { PipelineDevice } from "./pipeline_device.ts"
import { Store } from "./store.ts"
import type { StoredOutput, StoreEntry } from "./store_entry.ts"

/** Does one step in this process, with everything that a run provides, and keeps its result. */
export const executeStep = Effect.fnUntraced(function* <R>(job: StepJob<R>) {
  const store = yield* Store
  const device = yield* PipelineDevice
  const { id, step, config, paths } = job.planned
  const { key, emit, seed } = job
  const notices = new Set(job.notices)
  const inputs = yield* job.inputs
  const started = yield* Clock.currentTimeMillis
  const dispatchesBefore = device.dispatches()
  const [result, hostFallbacks] = yield* step.execute({ id, config, inputs, seed, paths }).pipe(
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
    made: job.made,
    outputs,
    files,
    metrics: isJsonObject(metrics) ? metrics : {},
    seconds: ((yield* Clock.currentTimeMillis) - started) / 1000,
    dispatches: device.dispatches() - dispatchesBefore,
    hostFallbacks,
    notices: [...notices],
    finished: DateTime.formatIso(yield* DateTime.now),
  }
  const standing = yield* store.putEntry(entry)
  yield* store.clearCheckpoints(key)
  return standing
})
