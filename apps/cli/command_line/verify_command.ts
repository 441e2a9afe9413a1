import { findDataFolder, resolvePipeline, runPipeline, Store } from "@espalier/pipeline"
import { Effect, FileSystem, Layer, Option, Path, Schema } from "effect"
import { Command } from "effect/cli"
import { compareResults } from "../run_history/compare_results.ts"
import { findManifest, findRun, manifestOf } from "../run_history/run_history.ts"
import {
  type Application,
  type DeviceChoice,
  dataFolderOptions,
  storeLayer,
} from "./application.ts"
import { commonFlags } from "./common_flags.ts"
import { historyFlags, runArgument } from "./history_flags.ts"
import { listenOnTerminal } from "./run_listener.ts"
import { formatTable } from "./table.ts"
import { writeOut } from "./terminal.ts"

/** A run did not give the same when it was done again; what differs was told already. */
export class VerificationFailed extends Schema.TaggedError<VerificationFailed>()(
  "VerificationFailed",
  { run: Schema.String, steps: Schema.Array(Schema.String), hint: Schema.String },
) {
  override get message(): string {
    return `the run ${this.run} gave something else this time: ${this.steps.join(", ")}`
  }
}

const kinds: ReadonlyArray<DeviceChoice> = ["wasm", "webgpu"]

/** `espalier verify [RUN]`. */
export const makeVerifyCommand = <R>(application: Application<R>) =>
  Command.make(
    "verify",
    { run: runArgument, data: commonFlags.data, ...historyFlags },
    Effect.fnUntraced(function* ({ run, data, store, json }) {
      const fileSystem = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const past = yield* findRun(run).pipe(Effect.provide(storeLayer(store)))
      const { request } = past
      const before = yield* manifestOf(past)
      const file = request?.file ?? path.resolve(before.file)
      const source = {
        file: before.file,
        folder: path.dirname(file),
        document: before.pipeline,
        origin: () => ({ file: before.file }),
      }
      const given = Option.orElse(data, () => Option.fromUndefinedOr(request?.data))
      const dataFolder = yield* findDataFolder(dataFolderOptions(given))
      const pipeline = yield* resolvePipeline(source, { steps: application.steps, dataFolder })
      const temporary = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-verify-" })
      const listen = listenOnTerminal()
      const again = Effect.gen(function* () {
        const record = yield* runPipeline(pipeline, {
          packages: application.packages(),
          only: Object.keys(before.steps),
          onEvent: listen,
        })
        return yield* findManifest(Option.some(record.run))
      })
      const device = kinds.find((kind) => kind === before.device.kind) ?? "auto"
      const layers = Layer.merge(Store.layer(temporary), application.device(device))
      const after = yield* Effect.provide(again, layers) as Effect.Effect<
        Effect.Success<typeof again>,
        Effect.Error<typeof again>
      >
      const steps = compareResults(before, after)
      const changed = before.inputs.filter(
        ({ path: name, sha256 }) =>
          after.inputs.find((input) => input.path === name)?.sha256 !== sha256,
      )
      const differing = steps.flatMap(({ id, result }) => (result === "differs" ? [id] : []))
      if (json) {
        const told = {
          run: before.run,
          same: differing.length === 0,
          changedInputs: changed,
          steps,
        }
        yield* writeOut(`${JSON.stringify(told, null, 2)}\n`)
      } else {
        const rows = steps.map(({ id, result, why }) => [id, result, why])
        const inputs = changed.map(({ path: name }) => `${name} is not what it was\n`).join("")
        yield* writeOut(`${formatTable([["step", "result", ""], ...rows])}\n${inputs}`)
      }
      if (differing.length === 0) return
      const hint =
        changed.length > 0
          ? "files that it read have changed: put back those of then"
          : "espalier diff compares packages and devices of two runs"
      return yield* new VerificationFailed({ run: before.run, steps: differing, hint })
    }, Effect.scoped),
  ).pipe(
    Command.withDescription(
      "Do everything of a run again, from its manifest and without what is kept, and compare",
    ),
  )
