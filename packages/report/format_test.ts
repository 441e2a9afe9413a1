import { assert, describe, it } from "@effect/vitest"
import {
  formatBytes,
  formatChange,
  formatNumber,
  formatSeconds,
  formatTick,
  formatTime,
  shorten,
} from "./format.ts"

describe("format", () => {
  it("writes numbers for people", () => {
    const texts = [0, 12345, 16.7031, 16.7, 0.00220529, -0.5, 123456.7, 5.07e7 + 0.5, 1e-9]
    assert.deepStrictEqual(texts.map(formatNumber), [
      "0",
      "12,345",
      "16.70",
      "16.7",
      "0.002205",
      "−0.5",
      "123,457",
      "5.07e7",
      "1e-9",
    ])
    assert.deepStrictEqual([Infinity, -Infinity, Number.NaN].map(formatNumber), ["∞", "−∞", "NaN"])
    assert.strictEqual(formatTick(16.70001), "16.7")
  })

  it("writes times, durations and sizes", () => {
    assert.strictEqual(formatTime("2026-11-23T21:18:09.827Z"), "2026-11-23 21:18:09 UTC")
    assert.strictEqual(formatTime("yesterday"), "yesterday")
    const seconds = [0.0012, 0.5, 9.96, 99.6, 3599.7, 7384]
    const durations = ["1 ms", "0.5 s", "10 s", "1 min 40 s", "1 h 0 min", "2 h 3 min"]
    assert.deepStrictEqual(seconds.map(formatSeconds), durations)
    assert.deepStrictEqual([5, 2048, 5e6].map(formatBytes), ["5 B", "2.0 KiB", "4.8 MiB"])
  })

  it("says by how much a figure changed", () => {
    assert.strictEqual(formatChange(4, 3), "−25 %")
    assert.strictEqual(formatChange(100, 103.2), "+3.2 %")
    assert.strictEqual(formatChange(100, 100.01), "<0.1 %")
    assert.strictEqual(formatChange(2, 2), undefined)
    assert.strictEqual(formatChange(0, 2), undefined)
    assert.strictEqual(formatChange(2, Infinity), undefined)
  })

  it("leaves the middle out of long texts", () => {
    assert.strictEqual(shorten("abcdefghij", 10), "abcdefghij")
    assert.strictEqual(shorten("abcdefghijk", 6), "abc…jk")
    assert.strictEqual(shorten("🌲🌲🌲🌲", 3), "🌲🌲…")
  })
})
