import { assert, describe, it } from "@effect/vitest"
import { Random } from "@espalier/tensor"
import { Effect } from "effect"
import { constant, lecunNormal, normal } from "./initializers.ts"
import type { Initializer } from "./initializers.ts"
import { evaluate } from "./testing/evaluate.ts"

const key = Random.key(3)
const [outputs, inputs] = [200, 50]
const draw = (initializer: Initializer) => evaluate(() => initializer(key, [outputs, inputs]))

/** Six standard errors of a deviation over this many draws: one seed in 10⁸ would fail. */
const tolerance = 6 / Math.sqrt(2 * outputs * inputs)

const moments = (values: ReadonlyArray<number>) => {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  const spread = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length
  return { mean, deviation: Math.sqrt(spread) }
}

describe("initializers", () => {
  it.effect("normal has mean 0 and the deviation asked for", () =>
    Effect.gen(function* () {
      const { mean, deviation } = moments(yield* draw(normal(0.3)))
      assert.closeTo(deviation / 0.3, 1, tolerance)
      assert.closeTo(mean / 0.3, 0, 2 * tolerance)
    }),
  )

  it.effect("lecunNormal has deviation 1/√inputs", () =>
    Effect.gen(function* () {
      const { deviation } = moments(yield* draw(lecunNormal))
      assert.closeTo(deviation * Math.sqrt(inputs), 1, tolerance)
    }),
  )

  it.effect("constant is the same everywhere", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(new Set(yield* draw(constant(1))), new Set([1]))
    }),
  )

  it.effect("the same key gives the same numbers, another key gives others", () =>
    Effect.gen(function* () {
      const [first, again] = [yield* draw(lecunNormal), yield* draw(lecunNormal)]
      assert.deepStrictEqual(first, again)
      const other = yield* evaluate(() => lecunNormal(Random.fold(key, "other"), [outputs, inputs]))
      assert.notDeepEqual(other, first)
    }),
  )
})
