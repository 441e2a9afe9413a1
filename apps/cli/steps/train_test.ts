import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { loadPipeline, type RunEvent, runPipeline, Store } from "@espalier/pipeline"
import { Deferred, Effect, Fiber, FileSystem, Layer, Path } from "effect"
import { deviceLayer } from "../device.ts"
import { makeTinyModel, writeModel } from "../testing/tiny_model.ts"
import { steps } from "./mod.ts"

const text = `name: p
steps:
  text: { use: text/stories, part: training, stories: 50 }
  model: { use: model/train, text: $text, dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1, contextLength: 16, window: 16, batch: 2, steps: 12 }
`

layer(NodeServices.layer)("model/train", (it) => {
  it.effect("goes on where it was interrupted and ends with the model of an unbroken run", () =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-train-" })
      yield* fileSystem.writeFileString(path.join(folder, "p.yaml"), text)
      const pipeline = yield* loadPipeline(path.join(folder, "p.yaml"), { steps })
      const run = (store: string, onEvent: (event: RunEvent) => Effect.Effect<void>) =>
        runPipeline(pipeline, {
          packages: {},
          out: path.join(folder, "out", store),
          onEvent,
        }).pipe(
          Effect.provide(Layer.merge(Store.layer(path.join(folder, store)), deviceLayer("wasm"))),
        )
      const weights = (store: string) =>
        fileSystem.readFile(path.join(folder, "out", store, "model/model/model.safetensors"))

      const atStepNine = yield* Deferred.make<void>()
      const first = yield* Effect.forkChild(
        run("broken", (event) => {
          if (event._tag !== "StepProgress" || event.id !== "model") return Effect.void
          return event.update.completed === 9
            ? Effect.andThen(Deferred.succeed(atStepNine, undefined), Effect.never)
            : Effect.void
        }),
      )
      yield* Deferred.await(atStepNine)
      yield* Fiber.interrupt(first)

      const seen: Array<number> = []
      const record = yield* run("broken", (event) =>
        Effect.sync(() => {
          if (event._tag === "StepProgress") seen.push(event.update.completed)
        }),
      )
      assert.strictEqual(record.steps.text.status, "cached")
      assert.deepStrictEqual(seen, [10, 11, 12])
      const unbroken = yield* run("whole", () => Effect.void)
      assert.deepStrictEqual(record.steps.model.metrics, unbroken.steps.model.metrics)
      assert.deepStrictEqual(yield* weights("broken"), yield* weights("whole"))
      const left = yield* fileSystem.readDirectory(path.join(folder, "broken", "checkpoints"))
      assert.deepStrictEqual(left, [])
    }),
  )

  it.effect("goes on from a model, by other rules, and keeps what is best on another text", () =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-train-" })
      const small =
        "dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1, contextLength: 16, window: 16, steps: 1"
      const more = `
  held: { use: text/stories, part: evaluation, stories: 20 }
  more: { use: model/train, text: $text, model: $model, evaluation: $held, window: 16, batch: 4, steps: 9, optimizer: lion, schedule: wsd, accumulate: 2, evaluateEvery: 4, evaluateWindows: 8, adapter: lora, rank: 2 }
  measured: { use: model/perplexity, model: $more, text: $held, window: 16 }
  missing: { use: model/train, text: $text, dimension: 8, layers: 1, window: 16, steps: 1 }
  unwanted: { use: model/train, text: $text, model: $model, layers: 1, tokenizer: tiny/tokenizer.json, window: 16, steps: 1 }
  borrowed: { use: model/train, text: $text, tokenizer: tiny/tokenizer.json, ${small} }
  few: { use: model/train, text: $text, vocabulary: 9, ${small} }
`
      const tiny = makeTinyModel()
      writeModel(path.join(folder, "tiny"), tiny)
      yield* fileSystem.writeFileString(path.join(folder, "p.yaml"), text.trimEnd() + more)
      const pipeline = yield* loadPipeline(path.join(folder, "p.yaml"), { steps })
      const record = yield* runPipeline(pipeline, { packages: {} }).pipe(
        Effect.provide(Layer.merge(Store.layer(path.join(folder, "store")), deviceLayer("wasm"))),
      )
      const { metrics, status } = record.steps.more
      assert.strictEqual(status, "done")
      assert.deepStrictEqual(Object.keys(metrics.evaluations ?? {}), ["0", "4", "8", "9"])
      assert.isBelow(Number(metrics.trainedShare), 1)
      assert.isAtMost(
        Number(metrics.perplexity),
        Number(record.steps.measured.metrics.perplexity) * 2,
      )
      const told = (id: string) => record.steps[id].error
      assert.strictEqual(told("missing")?.tag, "ModelSizesMismatch")
      assert.match(told("missing")?.message ?? "", /hiddenDimension, heads, keyValueHeads, context/)
      assert.match(told("unwanted")?.message ?? "", /has its own: layers, tokenizer/)
      const vocabularyOf = (id: string) => record.steps[id].metrics.vocabulary
      assert.strictEqual(vocabularyOf("borrowed"), tiny.tokenizer.vocabularySize)
      assert.strictEqual(vocabularyOf("few"), 9)
    }),
  )
})
