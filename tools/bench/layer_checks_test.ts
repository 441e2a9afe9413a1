import { assert, describe, it } from "vitest"
import { uniform } from "./inputs.ts"
import { checkPruned, hessianOf, hessianTimes } from "./layer_checks.ts"

const inputs = 8
const x = uniform({ shape: [5, inputs], seed: 1 })
const dense = uniform({ shape: [4, inputs], seed: 2 })

describe("hessianTimes", () => {
  it("is the Hessian times the vector", () => {
    const v = uniform({ shape: [inputs], seed: 3 })
    const h = hessianOf(x, inputs)
    const found = hessianTimes(x, v)
    for (let i = 0; i < inputs; i++) {
      const row = h.subarray(i * inputs, (i + 1) * inputs)
      const expected = row.reduce((sum, value, j) => sum + value * v[j], 0)
      assert.closeTo(found[i], expected, 1e-12)
    }
  })
})

describe("checkPruned", () => {
  it("finds nothing in weights that did not change, and everything gone where all are 0", () => {
    const same = checkPruned(dense, dense, x, inputs)
    assert.deepStrictEqual(same, [0, 0, 0, 0, 0, 0, 0, 0])
    const gone = checkPruned(new Float32Array(dense.length), dense, x, inputs)
    assert.deepStrictEqual(gone, [1, 1, 1, 1, 1, 1, 1, 1])
  })

  it("tells where the error and the zeros are", () => {
    const pruned = dense.slice()
    // All of output 1 doubled, and one weight of output 2 in the third quarter of the inputs removed.
    for (let j = 0; j < inputs; j++) pruned[inputs + j] *= 2
    pruned[2 * inputs + 5] = 0
    const [first, second, third, fourth, ...zeros] = checkPruned(pruned, dense, x, inputs)
    assert.deepStrictEqual([first, second, fourth], [0, 1, 0])
    assert.isAbove(third, 0)
    assert.deepStrictEqual(zeros, [0, 0, 1 / 8, 0])
  })
})
