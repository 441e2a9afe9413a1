import { Tensor } from "@espalier/tensor"

type T = Tensor.Tensor

/**
 * Which scores are the smallest, exactly as many as asked for, the first of equals first. Scores
 * are non-negative `f32`, so their bits order them: the k-th smallest is found bit by bit, and
 * nothing is sorted.
 */

/** The `count`-th smallest key of each row, [rows, columns] → [rows, 1]; `count` ≥ 1. */
const thresholdOf = (keys: T, count: number): T => {
  let threshold = Tensor.zeros([keys.shape[0], 1], "u32")
  for (let bit = 30; bit >= 0; bit--) {
    const candidate = Tensor.or(threshold, 2 ** bit)
    const below = Tensor.sum(Tensor.cast(Tensor.less(keys, candidate), "i32"), [1], {
      keepDims: true,
    })
    threshold = Tensor.where(Tensor.less(below, count), candidate, threshold)
  }
  return threshold
}

/**
 * True for the `count` smallest scores of each row, the first of equals first; scores `f32`
 * [rows, columns] ≥ 0.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { HostArray, Interpreter, Program, Tensor } from "@espalier/tensor"
 * import { smallestOfRow } from "@espalier/pruning"
 *
 * const scores = HostArray.make([1, 4], [3, 1, 2, 1])
 * const found = Program.evaluate(() => smallestOfRow(Tensor.fromHost(scores), 2)).pipe(
 *   Effect.flatMap(Tensor.toArray),
 *   Effect.scoped,
 *   Effect.provide(Interpreter.layer),
 * )
 * console.log(await Effect.runPromise(found)) // [ 0, 1, 0, 1 ]
 * ```
 */
export const smallestOfRow = (scores: T, count: number): T => {
  const [rows, columns] = scores.shape as readonly [number, number]
  if (count <= 0) return Tensor.full([rows, columns], 0, "bool")
  if (count >= columns) return Tensor.full([rows, columns], 1, "bool")
  const keys = Tensor.bitcast(scores, "u32")
  const threshold = thresholdOf(keys, count)
  const below = Tensor.less(keys, threshold)
  const ties = Tensor.equal(keys, threshold)
  const taken = Tensor.sum(Tensor.cast(below, "i32"), [1], { keepDims: true })
  const order = Tensor.cumsum(Tensor.cast(ties, "i32"), 1)
  const within = Tensor.lessEqual(order, Tensor.sub(count, taken))
  return Tensor.or(below, Tensor.and(ties, within))
}

/** True for the `count` smallest scores of the whole matrix. */
export const smallestOfAll = (scores: T, count: number): T =>
  Tensor.reshape(smallestOfRow(Tensor.reshape(scores, [1, -1]), count), scores.shape)

/**
 * True for all but the `keep` largest of every `of` consecutive scores of a row; of equals the last
 * are kept. `of` divides the columns.
 */
export const smallestOfGroups = (scores: T, keep: number, of: number): T => {
  const [rows, columns] = scores.shape as readonly [number, number]
  const groups = columns / of
  const own = Tensor.reshape(scores, [rows, groups, of, 1])
  const others = Tensor.reshape(scores, [rows, groups, 1, of])
  const full = [rows, groups, of, of]
  const earlier = Tensor.less(Tensor.iota(full, 3), Tensor.iota(full, 2))
  const before = Tensor.or(Tensor.less(others, own), Tensor.and(Tensor.equal(others, own), earlier))
  const rank = Tensor.sum(Tensor.cast(before, "i32"), [3])
  return Tensor.reshape(Tensor.less(rank, of - keep), scores.shape)
}
