import { assert, describe, it } from "@effect/vitest"
import { makeRandomNumbers } from "./random_numbers.ts"

/** The published algorithm in 64-bit integers, for comparison. */
const reference = (seed: number) => {
  const low = (x: bigint) => BigInt.asUintN(32, x)
  let weyl = BigInt(seed)
  const splitmix = () => {
    weyl = low(weyl + 0x9e3779b9n)
    let z = weyl
    z = low((z ^ (z >> 16n)) * 0x85ebca6bn)
    z = low((z ^ (z >> 13n)) * 0xc2b2ae35n)
    return z ^ (z >> 16n)
  }
  const s = [splitmix(), splitmix(), splitmix(), splitmix()]
  const rotl = (x: bigint, k: bigint) => low((x << k) | (x >> (32n - k)))
  return () => {
    const result = low(rotl(low(s[1] * 5n), 7n) * 9n)
    const t = low(s[1] << 9n)
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = rotl(s[3], 11n)
    return Number(result) / 2 ** 32
  }
}

describe("random numbers", () => {
  it("are those of xoshiro128**", () => {
    for (const seed of [0, 1, 0xffffffff]) {
      const [ours, theirs] = [makeRandomNumbers(seed), reference(seed)]
      for (let i = 0; i < 1000; i++) assert.strictEqual(ours(), theirs())
    }
  })

  it("fill the interval evenly", () => {
    const random = makeRandomNumbers(3)
    const counts = Array.from({ length: 10 }, () => 0)
    for (let i = 0; i < 100_000; i++) counts[Math.floor(random() * 10)]++
    // Standard deviation 95.
    for (const count of counts) assert.closeTo(count, 10_000, 500)
  })
})
