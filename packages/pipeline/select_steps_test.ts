import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Pipeline } from "./pipeline.ts"
import type { Selection } from "./select_steps.ts"
import { selectSteps } from "./select_steps.ts"

const step = (id: string, ...needs: ReadonlyArray<string>) => ({ id, needs })
const pipeline = {
  steps: [
    step("text"),
    step("model", "text"),
    step("pruned[sparsity=0.5]", "model"),
    step("pruned[sparsity=0.7]", "model"),
    step("measured[sparsity=0.5]", "pruned[sparsity=0.5]", "text"),
    step("other", "text"),
  ],
} as unknown as Pipeline

const select = (selection: Selection) => {
  const { ids, anew } = Result.getOrThrow(selectSteps(pipeline, selection))
  return { ids: [...ids].toSorted(), anew: [...anew].toSorted() }
}

describe("selectSteps", () => {
  it("takes all where nothing is asked for", () => {
    assert.lengthOf(select({}).ids, 6)
    assert.deepStrictEqual(select({}).anew, [])
  })

  it("takes what is asked for and what that needs", () => {
    assert.deepStrictEqual(select({ only: ["model"] }).ids, ["model", "text"])
    assert.deepStrictEqual(select({ only: ["pruned", "other"] }).ids, [
      "model",
      "other",
      "pruned[sparsity=0.5]",
      "pruned[sparsity=0.7]",
      "text",
    ])
  })

  it("computes a step and all that depend on it anew", () => {
    const { ids, anew } = select({ from: "pruned[sparsity=0.5]" })
    assert.deepStrictEqual(anew, ["measured[sparsity=0.5]", "pruned[sparsity=0.5]"])
    assert.deepStrictEqual(ids, [...anew, "model", "text"].toSorted())
  })

  it("says what there is where a step is not", () => {
    const failure = Result.getOrThrow(Result.flip(selectSteps(pipeline, { only: ["modle"] })))
    assert.match(failure.message, /no step modle/)
    assert.match(failure.hint, /model/)
  })
})
