import { assert, describe, it } from "@effect/vitest"
import { firstLossScale, nextLossScale } from "./loss_scale.ts"

describe("the loss scale", () => {
  it("is halved where a gradient overflows", () => {
    assert.deepStrictEqual(nextLossScale({ value: 1024, steps: 77 }, true), {
      value: 512,
      steps: 0,
    })
  })

  it("doubles after 2000 sound steps, up to 2²⁴", () => {
    let scale = firstLossScale
    for (let step = 0; step < 2000; step++) {
      assert.strictEqual(scale.value, firstLossScale.value)
      scale = nextLossScale(scale, false)
    }
    assert.deepStrictEqual(scale, { value: 2 * firstLossScale.value, steps: 0 })
    for (let step = 0; step < 40_000; step++) scale = nextLossScale(scale, false)
    assert.strictEqual(scale.value, 2 ** 24)
  })
})
