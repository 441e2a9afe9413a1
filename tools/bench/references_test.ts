import { assert, describe, it } from "vitest"
import { byRows, erf, layerNormRow, matmul, softmaxRow } from "./references.ts"

describe("references", () => {
  it("multiplies matrices", () => {
    const product = matmul(Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8), 2, 2, 2)
    assert.deepStrictEqual(Array.from(product), [19, 22, 43, 50])
  })

  it.each([
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2.5, 0.999593047982555],
    [-3, -0.9999779095030014],
    [7, 1],
  ])("has erf(%f) as in tables (Abramowitz & Stegun 7.1)", (x, expected) => {
    assert.closeTo(erf(x), expected, 1e-14)
  })

  it("makes rows that add up to 1, or have mean 0 and variance 1", () => {
    const x = Float32Array.of(1, 2, 3, 100, -5, 7)
    const [a, b, c] = byRows(x, 3, softmaxRow)
    assert.closeTo(a + b + c, 1, 1e-15)
    const row = byRows(x, 6, layerNormRow(new Float32Array(6).fill(1), new Float32Array(6), 0))
    const mean = row.reduce((sum, value) => sum + value, 0) / 6
    const variance = row.reduce((sum, value) => sum + value * value, 0) / 6
    assert.closeTo(mean, 0, 1e-14)
    assert.closeTo(variance, 1, 1e-14)
  })
})
