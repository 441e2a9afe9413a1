import { assert, describe, it } from "@effect/vitest"
import { draw } from "@espalier/testing"
import { Effect, Schema } from "effect"
import { checkGrid, gridOf, gridOfGroup, quantizeOnGrid } from "./grid.ts"
import { dequantize } from "./quantized_weight.ts"
import type { RangeSearch } from "./grid.ts"
import type { Scheme } from "./scheme.ts"
import { groupCount, levelsOf } from "./scheme.ts"
import { allSchemes, AnyOf, Count } from "./testing/schemes.ts"

const searches: ReadonlyArray<RangeSearch> = ["min-max", "mse"]
const codesOf = (weights: ReadonlyArray<number>, scheme: Scheme) => {
  const data = Float32Array.from(weights)
  const grid = gridOf(data, data.length, scheme)
  const found = quantizeOnGrid(data, [1, data.length], scheme, grid)
  const [scale, zero] = [grid.scales[0], grid.zeros[0]]
  return {
    scale,
    zero,
    codes: Array.from(found.codes),
    weights: Array.from(dequantize(found).data),
  }
}
const perChannel = (bits: Scheme["bits"], symmetric: boolean): Scheme => ({
  bits,
  group: "channel",
  symmetric,
})

/** What holds for codes on any grid that was chosen for these weights. */
const checkCodes = (weights: Float32Array, inputs: number, scheme: Scheme, range: RangeSearch) => {
  const levels = levelsOf(scheme)
  const shape = [weights.length / inputs, inputs] as const
  const grid = gridOf(weights, inputs, scheme, range)
  const groups = groupCount(scheme, inputs)
  assert.strictEqual(grid.scales.length, shape[0] * groups)
  assert.isUndefined(checkGrid(grid, "weight", groups))
  const found = quantizeOnGrid(weights, shape, scheme, grid)
  const { data } = dequantize(found)
  for (const [i, weight] of weights.entries()) {
    const group = Math.floor((i * groups) / inputs)
    const [scale, zero] = [grid.scales[group], grid.zeros[group]]
    assert.isAtMost(found.codes[i], levels)
    // Within half a step where the grid reaches; to its end beyond.
    const inside = weight >= -zero * scale && weight <= (levels - zero) * scale
    const nearest = inside ? weight : (weight < 0 ? -zero : levels - zero) * scale
    assert.isAtMost(Math.abs(data[i] - nearest), scale * ((inside ? 0.5 : 0) + 1e-4))
    if (weight === 0) assert.strictEqual(data[i], 0)
  }
  // What is on the grid stays where it is.
  const again = quantizeOnGrid(Float32Array.from(data), shape, scheme, grid)
  assert.deepStrictEqual(again.codes, found.codes)
}

describe("a grid", () => {
  it("reaches from the least to the most weight, with 0 in it", () => {
    assert.deepStrictEqual(codesOf([-1, 0.2, 0.9, 2], perChannel(2, false)), {
      scale: 1,
      zero: 1,
      codes: [0, 1, 2, 3],
      weights: [-1, 0, 1, 2],
    })
    // All above 0, all below: 0 is an end.
    assert.deepStrictEqual(codesOf([1, 2, 3], perChannel(2, false)).zero, 0)
    assert.deepStrictEqual(codesOf([-1, -2, -3], perChannel(2, false)).zero, 3)
  })

  it("reaches as far down as up where it is symmetric", () => {
    assert.deepStrictEqual(codesOf([-1.5, 0.4, 0.6], perChannel(2, true)), {
      scale: 1,
      zero: 2,
      // −1.5 and 1.5 are between two codes: the even one.
      codes: [0, 2, 3],
      weights: [-2, 0, 1],
    })
  })

  it("rounds half to even", () => {
    const { codes } = codesOf([0, 0.5, 1.5, 2.5, 3.5, 15], perChannel(4, false))
    assert.deepStrictEqual(codes, [0, 0, 2, 2, 4, 15])
    const below = codesOf([-7.5, -2.5, -1.5, -0.5, 0.5, 7.5], perChannel(4, true))
    assert.deepStrictEqual(below.weights, [-8, -2, -2, 0, 0, 7])
  })

  it("of a group of zeros holds them; of one value, that value", () => {
    for (const scheme of allSchemes) {
      const width = 128
      const zeros = new Float32Array(width)
      for (const range of searches) {
        checkCodes(zeros, width, scheme, range)
        const grid = gridOf(zeros, width, scheme, range)
        const found = dequantize(quantizeOnGrid(zeros, [1, width], scheme, grid))
        assert.isTrue(found.data.every((value) => value === 0))
        for (const value of [3, -0.7, 1e-30, 1e38]) {
          const constant = new Float32Array(width).fill(value)
          const own = gridOf(constant, width, scheme, "min-max")
          const [first] = dequantize(quantizeOnGrid(constant, [1, width], scheme, own)).data
          // A symmetric grid has no code for both ends of its range.
          const most = scheme.symmetric ? own.scales[0] / 2 : 1e-6 * Math.abs(value)
          assert.isAtMost(Math.abs(first - Math.fround(value)), most * 1.001)
        }
      }
    }
  })

  it.effect.prop(
    "gives codes that are in range, near and stay, whatever the scheme",
    { scheme: AnyOf(allSchemes), seed: Count(0, 1e6), outputs: Count(1, 3), size: Count(-30, 30) },
    ({ scheme, seed, outputs, size }) =>
      Effect.sync(() => {
        const weights = draw(outputs, 128, seed).flat()
        const scaled = Float32Array.from(weights, (w) => w * 2 ** size)
        for (const range of searches) checkCodes(scaled, 128, allSchemes[scheme], range)
      }),
    { arbitrary: { runs: 40 } },
  )

  it.effect.prop(
    "does so for a row of any numbers",
    [Schema.Array(Schema.Finite.check(Schema.isBetween({ minimum: -1e9, maximum: 1e9 })))],
    ([given]) =>
      Effect.sync(() => {
        // Below 1e-30 there might be no scale.
        const weights = Float32Array.from(given, (w) => (Math.abs(w) < 1e-30 ? 0 : w))
        if (weights.length === 0) return
        for (const bits of [2, 3, 4, 8] as const) {
          for (const symmetric of [false, true]) {
            checkCodes(weights, weights.length, perChannel(bits, symmetric), "min-max")
          }
        }
      }),
  )

  it("by search loses no more than over the whole range, and less with an outlier", () => {
    const weights = Float32Array.from(draw(1, 64, 3)[0])
    weights[5] = 6
    const lossOf = (range: RangeSearch, scheme: Scheme) => {
      const grid = gridOf(weights, 64, scheme, range)
      const { data } = dequantize(quantizeOnGrid(weights, [1, 64], scheme, grid))
      return weights.reduce((sum, weight, i) => sum + Math.abs(data[i] - weight) ** 2.4, 0)
    }
    for (const scheme of allSchemes.filter(({ group }) => group !== 128)) {
      assert.isAtMost(lossOf("mse", scheme), lossOf("min-max", scheme))
    }
    const scheme = perChannel(3, false)
    assert.isBelow(lossOf("mse", scheme), 0.8 * lossOf("min-max", scheme))
    const { scale } = gridOfGroup(weights, scheme, "mse")
    assert.isBelow(scale, gridOfGroup(weights, scheme).scale)
  })

  it("whose scale is no normal number is refused by name", () => {
    const weights = new Float32Array(4 * 64).fill(0.5)
    weights.fill(1e-40, 2 * 64 + 32, 3 * 64)
    const scheme: Scheme = { bits: 4, group: 32, symmetric: false }
    const problem = checkGrid(gridOf(weights, 64, scheme), "blocks.3.up", 2)
    if (problem === undefined) return assert.fail("no problem")
    assert.strictEqual(problem._tag, "ScaleUnderflow")
    assert.deepStrictEqual([problem.tensor, problem.output, problem.group], ["blocks.3.up", 2, 1])
    assert.match(
      problem.message,
      /^the scale of group 1 of output 2 of blocks\.3\.up is 6\.\d+e-42\. /,
    )
    // So small that the scale is 0.
    weights.fill(2 ** -149, 2 * 64 + 32, 3 * 64)
    assert.strictEqual(checkGrid(gridOf(weights, 64, scheme), "blocks.3.up", 2)?.scale, 0)
  })

  it("holds weights whose range is no number of `f32`", () => {
    const { weights } = codesOf([-3e38, 3e38, 1e38], perChannel(8, false))
    assert.isTrue(weights.every(Number.isFinite))
  })
})
