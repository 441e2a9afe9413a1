import { NodeServices } from "@effect/platform-node"
import { assert, describe, it, layer } from "@effect/vitest"
import { decodeLlama2c, decodeTokenizer, makeLlama } from "@espalier/models"
import { loadPipeline } from "@espalier/pipeline"
import { Notices } from "@espalier/runtime"
import { layer as wasmLayer } from "@espalier/wasm"
import { dataFolder, withoutData } from "@espalier/testing"
import { Effect, FileSystem, Layer, Path, Result } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import type { ModelValue } from "../artifacts/model.ts"
import { makeTinyModel } from "../testing/tiny_model.ts"
import { modelZeroShot } from "./zero_shot.ts"

const long = Array.from({ length: 40 }, () => "Mia").join(" ")
const book = [
  { query: "Mia went to the", choices: ["barn", "the barn and the dog"], gold: 0 },
  { query: `${long} went to the`, choices: ["barn", "dog"], gold: 1 },
  { query: "Mia went to", choices: ["the barn", long], gold: 0 },
]
const words = [{ context: "Long ago Mia went to the", continuation: "barn" }]

const lines = (items: ReadonlyArray<unknown>) =>
  items.map((each) => JSON.stringify(each)).join("\n")

/** A folder of questions: one file packed, one plain. */
const makeData = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-questions-" })
  yield* fileSystem.writeFile(path.join(folder, "openbook_qa.jsonl.gz"), gzipSync(lines(book)))
  yield* fileSystem.writeFileString(path.join(folder, "lambada_openai.jsonl"), lines(words))
  yield* fileSystem.writeFile(
    path.join(folder, "piqa.jsonl.gz"),
    gzipSync(lines(book)).subarray(0, 60),
  )
  yield* fileSystem.writeFileString(path.join(folder, "winogrande.jsonl"), lines(words))
  return folder
})

const ask = (model: ModelValue, data: string, config: object) =>
  modelZeroShot.execute({
    id: "here",
    config: { data, shots: 0, batch: 4, begin: true, ...config },
    inputs: { model },
    seed: 0,
    paths: { data },
  })

const services = Layer.mergeAll(NodeServices.layer, wasmLayer({ threads: 1 }))

layer(services)("model/zero-shot", (it) => {
  it.effect("measures each task, their average and a table, and says what it left out", () =>
    Effect.gen(function* () {
      const data = yield* makeData
      const tasks = ["lambada_openai", "openbookqa"]
      const [{ metrics }, notices] = yield* Notices.collect(ask(makeTinyModel(), data, { tasks }))
      const { openbookqa, lambada_openai, average, table } = metrics as Readonly<
        Record<string, Readonly<Record<string, unknown>>>
      >
      assert.deepInclude(openbookqa, { chance: 0.5, items: 2, unscored: 1, truncated: 2 })
      assert.deepInclude(lambada_openai, { chance: 0, items: 1, stderr: undefined })
      assert.isAbove(Number(lambada_openai.perplexity), 1)
      assert.strictEqual(average.acc, (Number(openbookqa.acc) + Number(lambada_openai.acc)) / 2)
      assert.deepStrictEqual(Object.keys(table), ["openbookqa", "lambada_openai", "average"])
      assert.deepStrictEqual(notices, [
        "openbookqa: left out 1 questions with a choice of more than 32 tokens",
        "openbookqa: cut 2 contexts on the left to fit 32 tokens",
      ])
    }),
  )

  it.effect("asks no more than limit, after the shots", () =>
    Effect.gen(function* () {
      const data = yield* makeData
      const items = (config: object) =>
        Effect.map(ask(makeTinyModel(), data, { tasks: ["openbookqa"], ...config }), (result) => {
          const { openbookqa } = result.metrics as { readonly openbookqa: { items: number } }
          return openbookqa.items
        })
      assert.strictEqual(yield* items({ limit: 1 }), 1)
      assert.strictEqual(yield* items({ shots: 1, limit: 1 }), 1)
      const error = yield* Effect.flip(items({ shots: 3 }))
      assert.strictEqual(error._tag, "NothingToScore")
      assert.match(error.hint ?? "", /use fewer of them as examples/)
    }),
  )

  it.effect("refuses files that are missing, cut off or of another task", () =>
    Effect.gen(function* () {
      const data = yield* makeData
      for (const [task, tag, says] of [
        ["arc_easy", "InputFileUnreadable", /arc_easy\.jsonl\.gz/],
        ["piqa", "TextFormatError", /piqa\.jsonl\.gz: not gzip/],
        ["winogrande", "ZeroShotFormatError", /winogrande\.jsonl:1: expected \{"context_options"/],
      ] as const) {
        const error = yield* Effect.flip(ask(makeTinyModel(), data, { tasks: [task] }))
        assert.strictEqual(error._tag, tag)
        assert.match(error.message, says)
        assert.isNotEmpty(error.hint)
      }
    }),
  )

  it.effect("knows its tasks before anything runs", () =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const data = yield* makeData
      const file = path.join(data, "p.yaml")
      yield* fileSystem.writeFileString(
        file,
        `name: p
steps:
  a: { use: model/zero-shot, model: $b, data: ., tasks: [arc-easy] }
`,
      )
      const error = yield* Effect.flip(loadPipeline(file, { steps: [modelZeroShot] }))
      assert.match(JSON.stringify(error), /must be a task \(did you mean \\"arc_easy\\"\?/)
    }),
  )
})

describe("stories260K", () => {
  it("answers 40 questions of ARC and OpenBookQA as an independent program says", async (context) => {
    if (withoutData !== undefined) return context.skip(withoutData)
    const read = (name: string) => readFileSync(join(dataFolder, "language-models", name))
    const { config, parameters } = Result.getOrThrow(
      decodeLlama2c(read("stories260K.bin"), "stories260K.bin"),
    )
    const tokenizer = Result.getOrThrow(decodeTokenizer(read("tok512.bin"), "tok512.bin"))
    const model = { model: makeLlama(config, parameters), tokenizer }
    const asked = ask(model, join(dataFolder, "zero-shot"), {
      tasks: ["arc_easy", "openbookqa"],
      limit: 40,
      batch: 16,
    })
    const { metrics } = await Effect.runPromise(Effect.provide(asked, services))
    const { arc_easy, openbookqa } = metrics as Readonly<Record<string, Record<string, number>>>
    // The figures of packages/models/zero_shot/zero_shot_test.ts.
    assert.deepInclude(arc_easy, { acc: 0.2, acc_norm: 0.175, items: 40, chance: 0.25 })
    assert.deepInclude(openbookqa, { acc: 0.15, acc_norm: 0.3, items: 40, chance: 0.25 })
    assert.closeTo(arc_easy.stderr, 0.06405126152203486, 1e-12)
  })
})
