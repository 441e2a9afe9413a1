import type { ZeroShotItem, ZeroShotScore, ZeroShotTask } from "@espalier/models"
import {
  meanAndError,
  readZeroShotItems,
  withShots,
  zeroShot,
  zeroShotTasks,
} from "@espalier/models"
import { Step, suggest, unreadable } from "@espalier/pipeline"
import { Notices } from "@espalier/runtime"
import { Effect, FileSystem, Path, Schema } from "effect"
import { gunzipSync } from "node:zlib"
import { Model } from "../artifacts/model.ts"
import { TextFormatError } from "./read_documents.ts"

const names = zeroShotTasks.map(({ name }) => name)

const TaskName = Schema.String.check(
  Schema.makeFilter(
    (name) => names.includes(name) || `must be a task (${suggest(name, names, "tasks")})`,
  ),
)

const Count = Schema.Int.check(Schema.isGreaterThan(0))

/** No file of questions is near it: what is larger is no such file. */
const largest = 2 ** 30

const unpack = (path: string, bytes: Uint8Array) =>
  Effect.try({
    try: () => new TextDecoder().decode(gunzipSync(bytes, { maxOutputLength: largest })),
    catch: (error) =>
      new TextFormatError({
        path,
        detail: `not gzip: ${error instanceof Error ? error.message : String(error)}`,
        hint: "the file is damaged or cut off: fetch it again",
      }),
  })

/** The questions of a task from `file.jsonl.gz` or `file.jsonl` in a folder. */
const readQuestions = Effect.fnUntraced(function* (folder: string, task: ZeroShotTask) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const plain = path.join(folder, `${task.file}.jsonl`)
  const packed = `${plain}.gz`
  const isPlain = yield* Effect.orElseSucceed(fileSystem.exists(plain), () => false)
  const file = isPlain ? plain : packed
  const bytes = yield* Effect.mapError(fileSystem.readFile(file), unreadable(file))
  const text = isPlain ? new TextDecoder().decode(bytes) : yield* unpack(file, bytes)
  return yield* Effect.fromResult(readZeroShotItems(task, file, text))
})

const select = (
  items: ReadonlyArray<ZeroShotItem>,
  { shots, limit }: { readonly shots: number; readonly limit?: number | undefined },
) => withShots(items, shots).slice(0, limit)

const noteLosses = Effect.fnUntraced(function* (
  task: string,
  score: ZeroShotScore,
  contextLength: number,
) {
  const { unscored, truncated } = score
  if (unscored > 0) {
    yield* Notices.report(
      `${task}: left out ${unscored} questions with a choice of more than ${contextLength} tokens`,
    )
  }
  if (truncated > 0) {
    yield* Notices.report(
      `${task}: cut ${truncated} contexts on the left to fit ${contextLength} tokens`,
    )
  }
})

/** A score under the names that lm-evaluation-harness gives its parts. */
const metricsOf = (score: ZeroShotScore) => ({
  acc: score.accuracy.mean,
  acc_norm: score.accuracyPerCharacter?.mean,
  stderr: score.accuracy.standardError,
  chance: score.chance,
  items: score.items,
})

/** `model/zero-shot`: benchmarks by the likelihoods of their answers. */
export const modelZeroShot = Step.define({
  use: "model/zero-shot",
  description:
    "Scores a model on benchmarks by log-likelihoods, as lm-evaluation-harness defines them. Compare with chance: models as small as stories260K do no better.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    data: Schema.String.annotate({
      description: "the folder with arc_easy.jsonl.gz and so on (llm-foundry's files)",
    }),
    tasks: Schema.Array(TaskName)
      .check(Schema.isMinLength(1), Schema.isUnique())
      .annotate({ description: `some of ${names.join(", ")}` })
      .pipe(Schema.withDecodingDefault(Effect.succeed(names))),
    limit: Schema.optionalKey(
      Count.annotate({
        description: "how many questions of each task to ask at most, the first ones",
      }),
    ),
    shots: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
      .annotate({ description: "solved questions before each one: the first of the file" })
      .pipe(Schema.withDecodingDefault(Effect.succeed(0))),
    batch: Count.annotate({ description: "answers that run at once" }).pipe(
      Schema.withDecodingDefault(Effect.succeed(16)),
    ),
    begin: Schema.Boolean.annotate({
      description: "whether the begin token, if the tokenizer has one, stands before each question",
    }).pipe(Schema.withDecodingDefault(Effect.succeed(true))),
  }),
  paths: ["data"],
  inputs: { model: { type: Model, description: "the model" } },
  limited: ["limit"],
  usesDevice: true,
  run: ({ config, inputs, paths }) =>
    Effect.gen(function* () {
      const { model, tokenizer } = inputs.model
      const { batch, begin } = config
      const scores: Array<readonly [name: string, score: ZeroShotScore]> = []
      for (const task of zeroShotTasks.filter(({ name }) => config.tasks.includes(name))) {
        const items = select(yield* readQuestions(paths.data, task), config)
        const score = yield* zeroShot(model, tokenizer, items, { batch, begin, task: task.name })
        yield* noteLosses(task.name, score, model.contextLength)
        scores.push([task.name, score])
      }
      const mean = (pick: (score: ZeroShotScore) => number) =>
        meanAndError(scores.map(([, score]) => pick(score))).mean
      const average = { acc: mean(({ accuracy }) => accuracy.mean), chance: mean((s) => s.chance) }
      return {
        metrics: {
          average: { overall: average.acc, ...average },
          ...Object.fromEntries(
            scores.map(([name, score]) => [
              name,
              {
                overall: score.accuracy.mean,
                ...metricsOf(score),
                acc_norm_stderr: score.accuracyPerCharacter?.standardError,
                perplexity: score.perplexity,
                unscored: score.unscored,
                truncated: score.truncated,
              },
            ]),
          ),
          table: {
            ...Object.fromEntries(scores.map(([name, score]) => [name, metricsOf(score)])),
            average,
          },
        },
      }
    }),
})
