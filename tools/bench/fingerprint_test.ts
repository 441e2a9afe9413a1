import { assert, describe, it } from "vitest"
import { disagreement, fingerprintOf } from "./fingerprint.ts"

const wave = (length: number, shift = 0) =>
  Float64Array.from({ length }, (_, i) => Math.sin(i) + shift)

describe("disagreement", () => {
  it("is none between equal results, and none within the tolerance", () => {
    const expected = fingerprintOf(wave(5000))
    assert.isUndefined(disagreement(expected, expected, 0))
    assert.isUndefined(disagreement(fingerprintOf(wave(5000, 1e-7)), expected, 1e-6))
  })

  it("names the first sample that is off", () => {
    const values = wave(10)
    const expected = fingerprintOf(values)
    values[3] += 0.1
    assert.match(disagreement(fingerprintOf(values), expected, 1e-3)!, /^value 3 is/)
  })

  it("finds what lies between the samples by the sums", () => {
    const values = wave(100_000)
    const expected = fingerprintOf(values)
    values.fill(0, 50_001, 50_100)
    values[50_050] = 1000
    assert.match(disagreement(fingerprintOf(values), expected, 1e-4)!, /^the sum is/)
  })

  it("refuses numbers that are none, also after a trip through JSON", () => {
    const expected = fingerprintOf([1, 2])
    const found = fingerprintOf([1, Number.NaN])
    assert.isString(disagreement(found, expected, 1))
    assert.isString(disagreement(JSON.parse(JSON.stringify(found)), expected, 1e-3))
  })

  it("refuses another length", () => {
    assert.strictEqual(
      disagreement(fingerprintOf([1]), fingerprintOf([1, 2]), 1),
      "1 values instead of 2",
    )
  })

  it("demands equality with tolerance 0", () => {
    const expected = fingerprintOf([403, 407])
    assert.isString(disagreement(fingerprintOf([403, 408]), expected, 0))
  })
})
