import { DateTime, Effect } from "effect"
import { type JsonObject, toJson } from "./canonical_json.ts"
import type { InputFile } from "./inspect_step.ts"
import { PipelineDevice } from "./pipeline_device.ts"
import { makeManifest, type RunRecord, type StepRecord } from "./run_record.ts"
import { nothingDone, type RunState } from "./run_state.ts"
import { Store } from "./store.ts"

/** What the manifest says besides the steps. */
export interface RunSurroundings {
  /** Whether the run was ended before its steps were. */
  readonly interrupted: boolean
  /** The kernels that the device was given before the run. */
  readonly dispatchesBefore: number
  /** What a person should know of the run as a whole. */
  readonly notices: ReadonlyArray<string>
  readonly inputs: ReadonlyArray<InputFile>
  readonly started: string
  readonly packages: Readonly<Record<string, string>>
  readonly environment: JsonObject
}

const recordOf = <R>(
  { run, pipeline, steps, records }: RunState<R>,
  { interrupted, dispatchesBefore, notices }: RunSurroundings,
  { kind, adapter, software, dispatches }: PipelineDevice["Service"],
): RunRecord => {
  const told = steps.map(({ id, step }): [string, StepRecord] => [
    id,
    records.get(id) ?? {
      ...nothingDone,
      use: step.use,
      status: "skipped",
      reason: "interrupted",
    },
  ])
  const failed = told.some(([, step]) => step.status === "failed")
  return {
    run,
    name: pipeline.name,
    status: interrupted ? "interrupted" : failed ? "failed" : "done",
    device: { kind, adapter, software, dispatches: dispatches() - dispatchesBefore },
    ...(notices.length === 0 ? {} : { notices }),
    steps: Object.fromEntries(told),
  }
}

/** Writes the manifest and the results of a run whose steps have ended, tells of it, and gives its record. */
export const finishRun = Effect.fnUntraced(function* <R>(
  state: RunState<R>,
  surroundings: RunSurroundings,
) {
  const store = yield* Store
  const device = yield* PipelineDevice
  const { run, pipeline, code, out, provenance, emit } = state
  const record = recordOf(state, surroundings, device)
  const manifest = makeManifest({
    ...surroundings,
    record,
    file: pipeline.file,
    document: pipeline.document,
    seed: pipeline.seed,
    code,
    device,
    finished: DateTime.formatIso(yield* DateTime.now),
    provenance,
  })
  const texts = [
    ["manifest.json", `${JSON.stringify(toJson(manifest), null, 2)}\n`],
    ["results.json", `${JSON.stringify(record, null, 2)}\n`],
  ] as const
  let folder = store.folder
  for (const [name, text] of texts) {
    const file = yield* store.writeRunFile(run, name, text)
    folder = file.slice(0, -name.length - 1)
    if (out !== undefined) yield* out.writeText(name, text)
  }
  yield* emit({ _tag: "RunFinished", record, folder: out?.path ?? folder })
  return record
})
