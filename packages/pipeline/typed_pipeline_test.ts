import { NodeServices } from "@effect/platform-node"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ArtifactType, Metrics } from "./artifact.ts"
import { Step } from "./step.ts"
import { makeWorkplace } from "./testing/workplace.ts"
import { measure, read, shout, table } from "./testing/steps.ts"
import { Pipeline } from "./pipeline.ts"

const artifact = <A>(name: string) =>
  ArtifactType.make({
    name,
    encode: (value: A) => Effect.succeed({ a: new TextEncoder().encode(JSON.stringify(value)) }),
    decode: (): Effect.Effect<A> => Effect.die("never read"),
  })
const Text = artifact<{ readonly documents: ReadonlyArray<string> }>("Text")
const Model = artifact<{ readonly weights: Float32Array }>("Model")

const load = Step.define({
  use: "model/load",
  description: "Reads a model.",
  version: 1,
  config: Schema.Struct({ path: Schema.String }),
  outputs: { model: Model },
  run: () => Effect.die("never run"),
})
const write = Step.define({
  use: "text/write",
  description: "Writes a text.",
  version: 1,
  config: Schema.Struct({ words: Schema.Int.pipe(Schema.withDecodingDefault(Effect.succeed(9))) }),
  inputs: { model: { type: Model } },
  outputs: { text: Text },
  run: () => Effect.die("never run"),
})
const perplexity = Step.define({
  use: "model/perplexity",
  description: "Measures.",
  version: 1,
  config: Schema.Struct({ window: Schema.Int }),
  inputs: { model: { type: Model }, text: { type: Text }, other: { type: Text, optional: true } },
  run: () => Effect.die("never run"),
})
const summary = Step.define({
  use: "report/table",
  description: "Puts figures side by side.",
  version: 1,
  config: Schema.Struct({}),
  inputs: { rows: { type: Metrics, many: true } },
  run: () => Effect.die("never run"),
})

describe("Pipeline", () => {
  it("writes the document of a pipeline file", () => {
    const document = Pipeline.make(
      "measure",
      (add) => {
        const { model } = add("model", load, { path: "m" })
        const { text } = add("text", write, { model })
        const first = add("first", perplexity, { model, text, window: 16 })
        const second = add("second", perplexity, { model, text, other: text, window: 32 })
        add("table", summary, { rows: { first: first.metrics, second: second.metrics } })
        add("list", summary, { rows: [first.metrics] })
      },
      { seed: 3 },
    )
    assert.deepStrictEqual(document, {
      name: "measure",
      seed: 3,
      steps: {
        model: { use: "model/load", path: "m" },
        text: { use: "text/write", model: "$model.model" },
        first: { use: "model/perplexity", model: "$model.model", text: "$text.text", window: 16 },
        second: {
          use: "model/perplexity",
          model: "$model.model",
          text: "$text.text",
          other: "$text.text",
          window: 32,
        },
        table: {
          use: "report/table",
          rows: { first: "$first.metrics", second: "$second.metrics" },
        },
        list: { use: "report/table", rows: ["$first.metrics"] },
      },
    })
  })

  it("does not compile where something is wired wrong", () => {
    Pipeline.make("wrong", (add) => {
      const { model, metrics } = add("model", load, { path: "m" })
      const { text } = add("text", write, { model, words: 3 })
      // @ts-expect-error: a text where a model is needed
      add("a", perplexity, { model: text, text, window: 16 })
      // @ts-expect-error: a model where a text is needed
      add("b", perplexity, { model, text: model, window: 16 })
      // @ts-expect-error: metrics where a model is needed
      add("c", perplexity, { model: metrics, text, window: 16 })
      // @ts-expect-error: a model where metrics are needed
      add("d", summary, { rows: [model] })
      // @ts-expect-error: an input is missing
      add("e", perplexity, { model, window: 16 })
      // @ts-expect-error: a key is missing
      add("f", perplexity, { model, text })
      // @ts-expect-error: a value of another type
      add("g", perplexity, { model, text, window: "16" })
      // @ts-expect-error: a key that the step does not have
      add("h", perplexity, { model, text, window: 16, widow: 3 })
      // @ts-expect-error: an output that the step does not have
      assert.isUndefined(add("i", load, { path: "m" }).text)
    })
  })

  it("refuses two steps of one name", () => {
    const twice = () =>
      Pipeline.make("twice", (add) => {
        add("model", load, { path: "m" })
        add("model", load, { path: "n" })
      })
    assert.throws(twice, /two steps are named model/)
  })
})

layer(NodeServices.layer, { excludeTestServices: true })("Pipeline", (it) => {
  it.effect("runs", () =>
    Effect.gen(function* () {
      const place = yield* makeWorkplace
      yield* place.write("story.txt", "Once")
      const document = Pipeline.make("story", (add) => {
        const { text } = add("story", read, { path: "story.txt" })
        const loud = add("loud", shout, { text, times: 2 })
        const size = add("size", measure, { text: loud.text })
        add("all", table, { rows: { size: size.metrics } })
      })
      const record = yield* place.run(JSON.stringify(document))
      assert.deepStrictEqual(record.steps.all.metrics, { size: 8 })
    }),
  )
})
