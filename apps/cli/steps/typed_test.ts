import { assert, describe, it } from "@effect/vitest"
import { Pipeline } from "@espalier/pipeline"
import { Steps } from "../mod.ts"

describe("Steps", () => {
  it("are wired as their types say", () => {
    const { steps } = Pipeline.make("measure", (add) => {
      const { model } = add("model", Steps.modelLoad, { path: "m" })
      const { text } = add("text", Steps.textLoad, { path: "t.jsonl", take: 4 })
      const measured = add("measured", Steps.modelPerplexity, { model, text, window: 64 })
      add("table", Steps.reportTable, { rows: { dense: measured.metrics } })
      // @ts-expect-error: a perplexity is not that of a text
      add("wrong", Steps.modelPerplexity, { model: text, text, window: 64 })
    })
    assert.deepStrictEqual(steps["measured"], {
      use: "model/perplexity",
      model: "$model.model",
      text: "$text.text",
      window: 64,
    })
  })
})
