import { assert, describe, it } from "@effect/vitest"
import { stepGraph } from "./step_graph.ts"
import { runOf, smallManifest } from "./testing/manifests.ts"

const graphOf = (steps: Readonly<Record<string, Readonly<Record<string, unknown>>>>) => {
  const records = Object.entries(steps).map(([id, { use, status = "done" }]) => [
    id,
    { use, status },
  ])
  return stepGraph(
    runOf({ ...smallManifest(), pipeline: { steps }, steps: Object.fromEntries(records) }),
  )
}

describe("stepGraph", () => {
  it("has a box for each step and an arrow for each step it needs", () => {
    const { boxes, arrows } = graphOf({
      eval: { use: "model/perplexity", model: "$model", again: ["$model.metrics"] },
      model: { use: "model/train" },
    })
    assert.deepStrictEqual(
      boxes.map(({ label }) => label),
      ["model", "eval"],
    )
    assert.deepStrictEqual(arrows, [[0, 1]])
  })

  it("makes one box of those that do the same with the same, where there are many", () => {
    const sweep = Array.from({ length: 20 }, (_, i) => [
      [`p${i}`, { use: "prune/wanda", model: "$model", status: i === 3 ? "failed" : "done" }],
      [`e${i}`, { use: "model/perplexity", model: `$p${i}` }],
    ]).flat()
    const { boxes, arrows } = graphOf({
      model: { use: "model/train" },
      ...(Object.fromEntries(sweep) as Record<string, Record<string, unknown>>),
      dense: { use: "model/perplexity", model: "$model" },
    })
    assert.deepStrictEqual(
      boxes.map(({ label, use, status }) => [label, use, status]),
      [
        ["model", "model/train", "done"],
        ["20 steps", "prune/wanda", "failed"],
        ["20 steps", "model/perplexity", "done"],
        ["dense", "model/perplexity", "done"],
      ],
    )
    assert.lengthOf(arrows, 3)
  })

  it("stays small for thousands of steps in a row, and for circles", () => {
    const chain = Array.from({ length: 3000 }, (_, i) => [
      `s${i}`,
      { use: "demo/next", before: `$s${(i + 1) % 3000}` },
    ])
    const { boxes } = graphOf(Object.fromEntries(chain) as Record<string, Record<string, unknown>>)
    assert.lengthOf(boxes, 1)
    assert.lengthOf(boxes[0].steps, 3000)
  })
})
