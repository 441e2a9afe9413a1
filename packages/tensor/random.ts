/**
 * Counter-based random numbers: threefry2x32 with 20 rounds (Salmon et al. 2011, "Parallel random
 * numbers: as easy as 1, 2, 3"), made of `u32` operations, so that every device gives the same bits.
 *
 * @module
 */
import { DTypeError, ShapeError } from "./errors.ts"
import { sha256 } from "./hash.ts"
import { add, cast, cos, log, mul, or, shl, shr, sqrt, sub, xor } from "./ops/pointwise.ts"
import { iota, scalar } from "./ops/source.ts"
import { reshape, slice } from "./ops/movement.ts"
import type { Shape } from "./shape.ts"
import { sizeOf } from "./shape.ts"
import { Tensor } from "./tensor.ts"

/** Two 32-bit words that name a stream of random numbers. */
export type Key = readonly [number, number]

/**
 * What streams are drawn from: a seed, a {@link Key}, or a `u32 [2]` tensor, which lets one compiled
 * program draw other numbers each time it runs.
 */
export type Stream = number | Key | Tensor

/** The key of a seed: any whole number up to 2⁵³. */
export const key = (seed: number): Key => [Math.floor(seed / 2 ** 32) >>> 0, seed >>> 0]

/**
 * A key for one purpose within another: independent streams from one seed, by name. The label is
 * hashed on the host.
 */
export const fold = (from: Key | number, label: string): Key => {
  const [high, low] = typeof from === "number" ? key(from) : from
  const digest = sha256(`${high}:${low}:${label}`)
  return [Number.parseInt(digest.slice(0, 8), 16), Number.parseInt(digest.slice(8, 16), 16)]
}

type Word = Tensor | number
type Words = readonly [Word, Word]

const wordsOf = (stream: Stream): Words => {
  if (typeof stream === "number") return key(stream)
  if (!(stream instanceof Tensor)) return stream
  const operation = "random"
  if (stream.dtype !== "u32") {
    throw new DTypeError({ operation, dtypes: [stream.dtype], problem: "a key is u32" })
  }
  if (stream.shape.length !== 1 || stream.shape[0] !== 2) {
    throw new ShapeError({ operation, shapes: [stream.shape], problem: "a key is [2]" })
  }
  return [reshape(slice(stream, [0], [1]), []), reshape(slice(stream, [1], [2]), [])]
}

/** Numbers are combined on the host, tensors on the device: the same bits either way. */
const parity = ([first, second]: Words): Word =>
  typeof first === "number" && typeof second === "number"
    ? (first ^ second ^ 0x1bd11bda) >>> 0
    : xor(xor(first, second), 0x1bd11bda)
const plus = (word: Word, group: number): Word =>
  typeof word === "number" ? (word + group) >>> 0 : add(word, group)

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const
const rotateLeft = (x: Tensor, count: number): Tensor => or(shl(x, count), shr(x, 32 - count))

/** Encrypts the two-word counters `(first, second)` of each element: two random words an element. */
export const threefry = (
  stream: Stream,
  first: Tensor,
  second: Tensor,
): readonly [Tensor, Tensor] => {
  const words = wordsOf(stream)
  const keys = [...words, parity(words)] as const
  let x = add(first, keys[0])
  let y = add(second, keys[1])
  for (let round = 0; round < 20; round++) {
    x = add(x, y)
    y = xor(rotateLeft(y, rotations[round % 8]), x)
    if (round % 4 !== 3) continue
    const group = (round + 1) / 4
    x = add(x, keys[group % 3])
    y = add(y, plus(keys[(group + 1) % 3], group))
  }
  return [x, y]
}

const pair = (stream: Stream, shape: Shape): readonly [Tensor, Tensor] => {
  const counter = reshape(iota([sizeOf(shape)], 0, "u32"), shape)
  return threefry(stream, counter, scalar(0, "u32"))
}

/** The upper 23 bits as a number in [0, 1). */
const unit = (word: Tensor): Tensor => mul(cast(shr(word, 9), "f32"), 2 ** -23)

/** Random `u32` words: element `i` is the first word of counter `(i, 0)`. */
export const bits = (stream: Stream, shape: Shape): Tensor => pair(stream, shape)[0]

/** Uniform numbers in `[low, high)`, in steps of `2⁻²³ · (high − low)`. */
export const uniform = (stream: Stream, shape: Shape, low = 0, high = 1): Tensor =>
  add(mul(unit(bits(stream, shape)), high - low), low)

/**
 * Normal numbers with mean 0 and deviation 1 (Box–Muller).
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Interpreter, Program, Random, Tensor } from "@espalier/tensor"
 *
 * const weights = Random.fold(42, "weights")
 * const drawn = Program.evaluate(() => Random.normal(weights, [2, 3])).pipe(
 *   Effect.flatMap(Tensor.toArray),
 *   Effect.scoped,
 *   Effect.provide(Interpreter.layer),
 * )
 * console.log(await Effect.runPromise(drawn))
 * ```
 */
export const normal = (stream: Stream, shape: Shape): Tensor => {
  const [first, second] = pair(stream, shape)
  const radius = sqrt(mul(log(sub(1, unit(first))), -2))
  return mul(radius, cos(mul(unit(second), 2 * Math.PI)))
}
