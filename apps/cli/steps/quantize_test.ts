import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { decodeGgufModel } from "@espalier/models"
import type { RunRecord } from "@espalier/pipeline"
import { loadPipeline, runPipeline, Store } from "@espalier/pipeline"
import { Effect, FileSystem, Layer, Path } from "effect"
import { deviceLayer } from "../device.ts"
import { makeTinyModel, tinyStories, writeModel } from "../testing/tiny_model.ts"
import { steps } from "./mod.ts"

/** Runs steps on a tiny model with rows of 32 and 64 weights; gives the record and the results' folder. */
const runSteps = Effect.fnUntraced(function* (text: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-quantize-" })
  writeModel(path.join(folder, "model"), makeTinyModel({ dimension: 32, hiddenDimension: 64 }))
  const stories = tinyStories.map((story) => JSON.stringify(story)).join("\n")
  yield* fileSystem.writeFileString(path.join(folder, "stories.jsonl"), stories)
  const before = `name: p
steps:
  model: { use: model/load, path: model }
  text: { use: text/load, path: stories.jsonl }
`
  yield* fileSystem.writeFileString(path.join(folder, "p.yaml"), before + text)
  const pipeline = yield* loadPipeline(path.join(folder, "p.yaml"), { steps })
  const out = path.join(folder, "out")
  const record: RunRecord = yield* runPipeline(pipeline, { packages: {}, out }).pipe(
    Effect.provide(Layer.merge(Store.layer(path.join(folder, "store")), deviceLayer("wasm"))),
  )
  return { record, out }
})

const calibrated = "model: $model, calibration: $text, window: 16, samples: 8"

layer(NodeServices.layer)("quantize/…", (it) => {
  it.effect("say what they made, and the codes go along until weights change", () =>
    Effect.gen(function* () {
      const { record, out } = yield* runSteps(`
  rtn: { use: quantize/rtn, model: $model, bits: 3, group: 32 }
  gptq: { use: quantize/gptq, ${calibrated}, bits: 4, symmetric: true, range: mse }
  awq: { use: quantize/awq, ${calibrated}, bits: 3, steps: 2, rounding: gptq }
  hqq: { use: quantize/hqq, model: $model, bits: 3, iterations: 5 }
  joint: { use: quantize/gptq, ${calibrated}, bits: 4, keep: "2:4" }
  dl-qat: { use: quantize/dl-qat, ${calibrated}, bits: 2, steps: 3, batch: 2, trainableShare: 0.3 }
  magnitude: { use: quantize/dl-qat, ${calibrated}, bits: 2, steps: 3, batch: 2, train: magnitude, loss: lm }
  pruned: { use: prune/magnitude, model: $rtn, sparsity: 0.5 }
  kept: { use: quantize/dl-qat, ${calibrated.replace("$model", "$pruned")}, teacher: $model, bits: 4, group: 32, keepZeros: true, steps: 3, batch: 2, rank: 1 }
  p-kept: { use: model/perplexity, model: $kept, text: $text, window: 16 }
  gguf: { use: model/export, model: $gptq, format: gguf, ggufType: Q8_0, name: tiny }
  packed: { use: model/export, model: $kept, format: pack-quantized }
  chosen: { use: model/select, candidates: { gptq: $gptq }, scores: { gptq: $gptq }, metric: bitsPerWeight }
  p-rtn: { use: model/perplexity, model: $rtn, text: $text, window: 16 }
  p-joint: { use: model/perplexity, model: $joint, text: $text, window: 16 }
  p-pruned: { use: model/perplexity, model: $pruned, text: $text, window: 16 }
  p-chosen: { use: model/perplexity, model: $chosen, text: $text, window: 16 }
`)
      const metrics = (id: string) => record.steps[id].metrics
      const path = yield* Path.Path
      const fileSystem = yield* FileSystem.FileSystem
      // 3 bits, and a scale of 16 and a zero point of 3 for 32 weights.
      assert.strictEqual(metrics("rtn").bitsPerWeight, 3 + 19 / 32)
      assert.strictEqual(metrics("p-rtn").bitsPerWeight, 3 + 19 / 32)
      assert.notProperty(metrics("rtn"), "layerError")
      assert.isAbove(Number(metrics("rtn").peakMemory), 0)
      const errors = metrics("gptq").layerError as {
        readonly overall: number
        readonly layers: Readonly<Record<string, number>>
      }
      assert.strictEqual(Object.keys(errors.layers).length, 14)
      assert.isTrue(errors.overall > 0 && errors.overall < 0.1)
      assert.strictEqual(metrics("p-chosen").bitsPerWeight, metrics("gptq").bitsPerWeight)
      assert.isAtLeast((metrics("p-joint").sparsity as { overall: number }).overall, 0.5)
      assert.isAtMost(Number(metrics("dl-qat").trainedShare), 0.3)
      assert.isAtLeast(Number(metrics("dl-qat").rank), 1)
      assert.strictEqual(metrics("dl-qat").trainTokens, 3 * 2 * 16)
      assert.isAbove(Number(metrics("dl-qat").loss), 0)
      for (const id of ["awq", "hqq"]) assert.isBelow(Number(metrics(id).bitsPerWeight), 4, id)
      assert.strictEqual(metrics("magnitude").rank, 0)
      assert.notProperty(metrics("p-pruned"), "bitsPerWeight")
      assert.isAtLeast((metrics("p-kept").sparsity as { overall: number }).overall, 0.5)
      const gguf = yield* fileSystem.readFile(path.join(out, "gguf", "model.gguf"))
      const written = yield* Effect.fromResult(decodeGgufModel(gguf, "model.gguf"))
      const name = { type: "string", value: "tiny" } as const
      assert.deepStrictEqual(written.metadata.get("general.name"), name)
      assert.strictEqual(metrics("gguf").bytes, gguf.length)
      assert.strictEqual(metrics("gguf").kept, 0)
      const packed = yield* fileSystem.readDirectory(path.join(out, "packed"))
      assert.deepStrictEqual(packed, ["config.json", "model.safetensors", "tokenizer.json"])
      const filesOf = (id: string) => fileSystem.readDirectory(path.join(out, id, "model"))
      assert.includeMembers(yield* filesOf("rtn"), ["quantized.json", "quantized.safetensors"])
      assert.notInclude(yield* filesOf("pruned"), "quantized.json")
    }),
  )

  it.effect("say what does not fit", () =>
    Effect.gen(function* () {
      const { record } = yield* runSteps(`
  wide: { use: quantize/rtn, model: $model, bits: 4, group: 64 }
  many: { use: quantize/gptq, ${calibrated}, bits: 4, keep: "3:5" }
  dense: { use: model/export, model: $model, format: pack-quantized }
`)
      const told = (id: string) => record.steps[id].error
      assert.strictEqual(told("wide")?.tag, "GroupWidthMismatch")
      assert.match(told("wide")?.message ?? "", /blocks\.0\.query has 32 inputs/)
      assert.strictEqual(told("many")?.tag, "GroupWidthMismatch")
      assert.match(told("dense")?.message ?? "", /model of dense has no integers to pack/)
      for (const wrong of ["bits: 1", "bits: 9", "bits: 4, group: 16", "bits: 4, sparsity: 0.5"]) {
        const refused = yield* Effect.flip(
          runSteps(`  odd: { use: quantize/rtn, model: $model, ${wrong} }\n`),
        )
        assert.strictEqual(refused._tag, "InvalidPipeline", wrong)
      }
    }),
  )
})
