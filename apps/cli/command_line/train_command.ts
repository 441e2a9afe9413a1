import { canonicalJson, PipelineDevice, sha256 } from "@espalier/pipeline"
import { Notices } from "@espalier/runtime"
import type { HostArray } from "@espalier/tensor"
import { Tree } from "@espalier/tensor"
import { Effect, FileSystem, Option, Path } from "effect"
import { Command } from "effect/cli"
import { createHash } from "node:crypto"
import type { ModelValue } from "../artifacts/model.ts"
import { encodeModel } from "../artifacts/model.ts"
import { deviceLayer } from "../device.ts"
import { measured } from "../measured.ts"
import type { TrainModelOptions } from "../steps/train_model.ts"
import { trainModel } from "../steps/train_model.ts"
import { formatNumber, formatTable } from "./table.ts"
import { tellWork } from "./tell_work.ts"
import { writeOut } from "./terminal.ts"
import { trainFlags } from "./train_flags.ts"
import { given, readTexts, startModel, usualWindow } from "./train_inputs.ts"
import { withCheckpoints } from "./with_checkpoints.ts"
import { refuseExisting, writeFolder } from "./write_folder.ts"

/** A hash over a model: its structure, its numbers, its tokenizer. */
const fingerprint = ({ model, tokenizer }: ModelValue): string => {
  const hash = createHash("sha256")
  const arrays = Tree.leaves<HostArray.HostArray>(model.parameters)
  for (const [i, [path]] of Tree.entries(model.parameters).entries()) {
    hash.update(`${path} ${arrays[i].shape.join("x")}\n`).update(arrays[i].data)
  }
  return hash.update(tokenizer.toBytes()).digest("hex")
}

/** Writes the model's folder beside the checkpoint, and gives it its name when all of it is there. */
const writeModel = Effect.fnUntraced(function* (value: ModelValue, partial: string, final: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const files = yield* Effect.fromResult(encodeModel(value))
  yield* writeFolder(files, path.join(partial, "model"), final)
  yield* Effect.ignore(fileSystem.remove(partial, { recursive: true, force: true }))
})

/** What a person should know of a run besides its progress. */
const tellEvent =
  (steps: number): NonNullable<TrainModelOptions["onEvent"]> =>
  (event) => {
    switch (event._tag) {
      case "Resumed":
        return Notices.report(`going on after step ${event.step} of ${steps}`)
      case "StepSkipped":
        return Notices.report(
          `step ${event.step} overflowed f16 and was skipped; the loss is now scaled by ${event.lossScale}`,
        )
      case "StoppedEarly":
        return Notices.report(`stopped at step ${event.step}: step ${event.best} was the best`)
      default:
        return Effect.void
    }
  }

/** `espalier train FILE --out DIR`. */
export const trainCommand = Command.make(
  "train",
  trainFlags,
  Effect.fnUntraced(function* (flags) {
    const path = yield* Path.Path
    const final = path.resolve(flags.out)
    const partial = `${final}.partial`
    yield* refuseExisting(final)
    const { text, evaluation } = yield* readTexts(flags)
    const { optimizer, schedule, accumulate, adapter, rank, precision } = flags
    const { batch, steps, seed, evaluateWindows, checkpointSeconds } = flags
    const { learningRate, average, evaluateEvery, patience } = flags
    const choices = {
      ...given({ learningRate, average, evaluateEvery, patience }),
      optimizer,
      schedule,
      accumulate,
      adapter,
      rank,
      precision,
      batch,
      steps,
      seed,
      evaluateWindows,
    }
    const work = Effect.gen(function* () {
      const start = yield* startModel(flags, text)
      const longest = Math.min(usualWindow, start.model.contextLength)
      const window = Option.getOrElse(flags.window, () => longest)
      // Whatever decides the result: an interrupted run is taken up by the same job only.
      const job = canonicalJson({
        ...choices,
        window,
        model: fingerprint(start),
        text: sha256(JSON.stringify([text, evaluation ?? null])),
        device: (yield* PipelineDevice).fingerprint,
      })
      const { value, metrics } = yield* trainModel(start, text, {
        ...choices,
        window,
        evaluation,
        checkpointSeconds,
        onEvent: tellEvent(steps),
      }).pipe(withCheckpoints(partial, sha256(job)))
      yield* writeModel(value, partial, final)
      return metrics
    })
    const [metrics, cost] = yield* measured(work).pipe(
      tellWork("train"),
      Effect.provide(deviceLayer(flags.device)),
    )
    const result = { out: flags.out, ...metrics, ...cost }
    if (flags.json) return yield* writeOut(`${JSON.stringify(result, null, 2)}\n`)
    const rows = Object.entries(result).flatMap(([name, value]) =>
      typeof value === "number" ? [[name, formatNumber(value)]] : [],
    )
    yield* writeOut(`${formatTable([["measured", ""], ...rows])}\n\n${flags.out}\n`)
  }),
).pipe(
  Command.withDescription(
    "Train a language model on a text; an interrupted run goes on where it was, with the same bytes in the end",
  ),
)
