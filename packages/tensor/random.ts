/**
 * Counter-based random numbers: threefry2x32 with 20 rounds (Salmon et al. 2011, "Parallel random
 * numbers: as easy as 1, 2, 3"), made of `u32` operations, so that every device gives the same bits.
 *
 * @module
 */
import { sha256 } from "./hash.ts"
import { cast, mul, add, sub, cos, log, sqrt, or, shl, shr, xor } from "./ops/pointwise.ts"
import { reshape } from "./ops/movement.ts"
import { scalar, iota } from "./ops/source.ts"
import type { Shape } from "./shape.ts"
import { sizeOf } from "./shape.ts"
import type { Tensor } from "./tensor.ts"

/** Two 32-bit words that name a stream of random numbers. */
export type Key = readonly [number, number]

/** The key of a seed. */
export const key = (seed: number): Key => [Math.floor(seed / 2 ** 32) >>> 0, seed >>> 0]

/** A key for one purpose within another: independent streams from one seed, by name. */
export const fold = ([high, low]: Key, label: string): Key => {
  const digest = sha256(`${high}:${low}:${label}`)
  return [parseInt(digest.slice(0, 8), 16), parseInt(digest.slice(8, 16), 16)]
}

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const
const rotateLeft = (x: Tensor, count: number): Tensor => or(shl(x, count), shr(x, 32 - count))

/** Encrypts the counters `(low, high)` of each element under a key: two words an element. */
export const threefry = (
  [key0, key1]: Key,
  low: Tensor,
  high: Tensor,
): readonly [Tensor, Tensor] => {
  const keys = [key0, key1, (key0 ^ key1 ^ 0x1bd11bda) >>> 0]
  let x = add(low, keys[0]!)
  let y = add(high, keys[1]!)
  for (let round = 0; round < 20; round++) {
    x = add(x, y)
    y = xor(rotateLeft(y, rotations[round % 8]!), x)
    if (round % 4 !== 3) continue
    const group = (round + 1) / 4
    x = add(x, keys[group % 3]!)
    y = add(y, (keys[(group + 1) % 3]! + group) >>> 0)
  }
  return [x, y]
}

const pair = (stream: Key, shape: Shape): readonly [Tensor, Tensor] => {
  const counter = reshape(iota([sizeOf(shape)], 0, "u32"), shape)
  return threefry(stream, counter, scalar(0, "u32"))
}

/** 23 random bits as a number in [0, 1). */
const unit = (word: Tensor): Tensor => mul(cast(shr(word, 9), "f32"), 2 ** -23)

/** Random `u32` words. */
export const bits = (stream: Key, shape: Shape): Tensor => pair(stream, shape)[0]
/** Uniform numbers in [low, high). */
export const uniform = (stream: Key, shape: Shape, low = 0, high = 1): Tensor =>
  add(mul(unit(bits(stream, shape)), high - low), low)
/** Normal numbers with mean 0 and deviation 1 (Box–Muller). */
export const normal = (stream: Key, shape: Shape): Tensor => {
  const [first, second] = pair(stream, shape)
  const radius = sqrt(mul(log(sub(1, unit(first))), -2))
  return mul(radius, cos(mul(unit(second), 2 * Math.PI)))
}
