import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { Effect } from "effect"
import { checkActivations, checkParameters, checkTokens } from "./errors.ts"
import { toyModel } from "./testing/toy_model.ts"

describe("checks", () => {
  it.effect("name the first tensor that is not finite", () =>
    Effect.gen(function* () {
      const good = HostArray.make([2], [1, -3.4e38])
      const bad = HostArray.make([3], [Number.NaN, 1, Number.POSITIVE_INFINITY])
      const [block] = toyModel([5]).blocks
      assert.deepStrictEqual(yield* checkParameters({ up: good }, block), { up: good })
      const linear = yield* Effect.flip(checkParameters({ up: good, down: bad }, block))
      assert.deepStrictEqual(
        [linear.tensor, linear.what, linear.count],
        ["blocks.0.down", "weights", 2],
      )
      assert.include(linear.message, "2 weights of blocks.0.down are NaN or infinite")
      assert.strictEqual(
        (yield* Effect.flip(checkParameters({ gain: bad }, block))).tensor,
        "blocks.0.gain",
      )
      assert.strictEqual(
        (yield* Effect.flip(checkParameters({ embedding: bad }))).tensor,
        "embedding",
      )
    }),
  )

  it("name the layer whose inputs are not finite", () => {
    assert.isUndefined(checkActivations("blocks.0.up", [1, 2]))
    const problem = checkActivations("blocks.0.up", [1, Number.POSITIVE_INFINITY])!
    assert.deepStrictEqual(
      [problem.tensor, problem.what, problem.count],
      ["blocks.0.up", "activations", 1],
    )
    assert.include(problem.message, "1 inputs of blocks.0.up are NaN or infinite")
  })

  it("name the first token that the model does not have", () => {
    assert.isUndefined(checkTokens([Int32Array.of(0, 5)], 6))
    for (const token of [6, -1]) {
      const problem = checkTokens([Int32Array.of(0, 5), Int32Array.of(1, token)], 6)!
      assert.deepStrictEqual(
        [problem.token, problem.window, problem.position, problem.vocabularySize],
        [token, 1, 1, 6],
      )
      assert.include(problem.message, `token ${token} at position 1 of window 1`)
    }
  })
})
