import { assert, describe, it } from "@effect/vitest"
import { lossCurve } from "./train_model.ts"

describe("lossCurve", () => {
  it("keeps every loss of a short training, and none of one without a step", () => {
    assert.deepStrictEqual(lossCurve([3, 2, 1]), { 1: 3, 2: 2, 3: 1 })
    assert.deepStrictEqual(lossCurve([]), {})
  })

  it("has at most 200 points, means by the step at their end, the last step included", () => {
    const curve = lossCurve(Array.from({ length: 1001 }, (_, i) => i))
    assert.isAtMost(Object.keys(curve).length, 200)
    assert.strictEqual(curve[6], 2.5)
    assert.strictEqual(curve[12], 8.5)
    assert.strictEqual(curve[1001], (996 + 997 + 998 + 999 + 1000) / 5)
  })
})
