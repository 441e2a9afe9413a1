import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { compositeCases } from "./conformance/mod.ts"
import * as DeviceArray from "./device_array.ts"
import * as HostArray from "./host_array.ts"
import * as Interpreter from "./interpreter.ts"
import * as Program from "./program.ts"
import { Spec } from "./program.ts"
import * as Random from "./random.ts"
import * as T from "./tensor_functions.ts"

const values = <O extends T.Tensor | ReadonlyArray<T.Tensor>>(build: () => O) =>
  Effect.gen(function* () {
    const arrays = yield* DeviceArray.toHostTree(yield* Program.evaluate(build))
    return (Array.isArray(arrays) ? arrays : [arrays]).map(({ data }) =>
      Array.from((data as Float64Array).values()),
    )
  }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))
const u32 = (value: number) => T.scalar(value, "u32")
const hex = (words: ReadonlyArray<ReadonlyArray<number>>) =>
  words.flat().map((word) => word.toString(16).padStart(8, "0"))

describe("threefry2x32", () => {
  // threefry2x32 with 20 rounds in kat_vectors of the Random123 distribution (D. E. Shaw Research).
  const known: ReadonlyArray<
    readonly [readonly [number, number], Random.Key, ReadonlyArray<string>]
  > = [
    [
      [0, 0],
      [0, 0],
      ["6b200159", "99ba4efe"],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      ["1cb996fc", "bb002be7"],
    ],
    [
      [0x243f6a88, 0x85a308d3],
      [0x13198a2e, 0x03707344],
      ["c4923a9c", "483df7a0"],
    ],
  ]
  for (const [[first, second], key, expected] of known) {
    it.effect(`gives the published words for counter ${first.toString(16)}`, () =>
      Effect.gen(function* () {
        const found = yield* values(() => Random.threefry(key, u32(first), u32(second)))
        assert.deepStrictEqual(hex(found), expected)
        const tensor = yield* values(() => {
          const stream = T.stack([u32(key[0]), u32(key[1])], 0)
          return Random.threefry(stream, u32(first), u32(second))
        })
        assert.deepStrictEqual(hex(tensor), expected)
      }),
    )
  }
})

describe("Random", () => {
  it.effect("the first words of seed 42 never change", () =>
    Effect.gen(function* () {
      const [words] = yield* values(() => Random.bits(42, [4]))
      assert.deepStrictEqual(hex([words]), ["6d3e048f", "19a3f86f", "3249c374", "64337688"])
    }),
  )

  it.effect("element i does not depend on the shape around it", () =>
    Effect.gen(function* () {
      const [[short], [long], [square]] = [
        yield* values(() => Random.bits(7, [6])),
        yield* values(() => Random.bits(7, [100])),
        yield* values(() => Random.bits(7, [2, 3])),
      ]
      assert.deepStrictEqual(short, long.slice(0, 6))
      assert.deepStrictEqual(short, square)
    }),
  )

  it.effect("a key may be an input of a program", () =>
    Effect.gen(function* () {
      const program = Program.make("draw", { key: Spec.u32([2]) }, ({ key }) =>
        Random.bits(key, [5]),
      )
      const run = yield* Program.compile(program)
      const draw = (key: Random.Key) =>
        Effect.flatMap(run({ key: HostArray.make([2], [...key], "u32") }), T.toArray)
      const key = Random.fold(3, "dropout")
      assert.deepStrictEqual([yield* draw(key)], yield* values(() => Random.bits(key, [5])))
      assert.notDeepEqual(yield* draw(key), yield* draw(Random.key(3)))
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it("labels name independent keys, the same on every machine", () => {
    assert.deepStrictEqual(Random.fold(0, "a"), Random.fold(Random.key(0), "a"))
    assert.notDeepEqual(Random.fold(0, "a"), Random.fold(0, "b"))
    assert.notDeepEqual(Random.fold(0, "a"), Random.fold(1, "a"))
    assert.notDeepEqual(
      Random.fold(Random.fold(0, "a"), "b"),
      Random.fold(Random.fold(0, "b"), "a"),
    )
    assert.deepStrictEqual(Random.key(2 ** 32 + 5), [1, 5])
    assert.deepStrictEqual(Random.fold(0, "weights"), [700871422, 4004177025])
  })

  it("refuses a tensor that is no key", () => {
    assert.throws(() => Random.bits(T.scalar(1), [2]), "a key is u32")
    assert.throws(() => Random.bits(T.iota([3], 0, "u32"), [2]), "a key is [2]")
  })

  const moments = (sample: ReadonlyArray<number>) => {
    const mean = sample.reduce((a, b) => a + b) / sample.length
    const power = (p: number) => sample.reduce((a, b) => a + (b - mean) ** p, 0) / sample.length
    return { mean, variance: power(2), fourth: power(4) / power(2) ** 2 }
  }

  it.effect("uniform numbers fill their interval evenly", () =>
    Effect.gen(function* () {
      const [sample] = yield* values(() => Random.uniform(1, [20_000], -1, 3))
      assert.isTrue(sample.every((x) => x >= -1 && x < 3))
      const { mean, variance } = moments(sample)
      // Five standard errors.
      assert.closeTo(mean, 1, 5 * Math.sqrt(16 / 12 / 20_000))
      assert.closeTo(variance, 16 / 12, 0.04)
      const counts = Array.from({ length: 16 }, () => 0)
      for (const x of sample) counts[Math.floor((x + 1) * 4)]++
      const chi = counts.reduce((sum, n) => sum + (n - 1250) ** 2 / 1250, 0)
      assert.isBelow(chi, 45)
    }),
  )

  it.effect("normal numbers have the moments of a normal distribution, and are finite", () =>
    Effect.gen(function* () {
      const [sample] = yield* values(() => Random.normal(2, [20_000]))
      assert.isTrue(sample.every(Number.isFinite))
      const { mean, variance, fourth } = moments(sample)
      assert.closeTo(mean, 0, 5 / Math.sqrt(20_000))
      assert.closeTo(variance, 1, 0.05)
      assert.closeTo(fourth, 3, 0.2)
    }),
  )

  it.effect("is among the programs that every device is checked with", () =>
    Effect.gen(function* () {
      const cases = yield* compositeCases()
      assert.isTrue(cases.some(({ name, tolerance }) => name === "random bits" && tolerance === 0))
    }),
  )
})
