import { Kernel, Program, Tensor } from "@espalier/tensor"
import { columnCode } from "./column_wasm.ts"

type T = Tensor.Tensor

/** Keeps `keep` of every `of` consecutive inputs of an output, chosen when the first of them is reached. */
export interface GroupRule {
  readonly keep: number
  readonly of: number
}

/**
 * The grid of each weight of a block, scales and zero points [columns, outputs]: a weight w becomes
 * scale · (clamp(round(w / scale) + zero, 0, levels) − zero), rounded half to even.
 */
export interface ColumnGrid {
  readonly scales: T
  readonly zeros: T
  /** The largest code: 2^bits − 1. */
  readonly levels: number
}

/** What a block of columns becomes. */
export interface SweptBlock {
  /** [columns, outputs]: the new weights. */
  readonly kept: T
  /** [columns, outputs]: (w − q) / U_ii of each column, for the columns after the block. */
  readonly errors: T
}

/**
 * True for all but the `keep` largest scores of each output; of equals the last are kept. Scores are
 * [columns, outputs].
 */
const removedOf = (scores: T, keep: number): T => {
  const [of, outputs] = scores.shape
  const own = Tensor.reshape(scores, [of, 1, outputs])
  const other = Tensor.reshape(scores, [1, of, outputs])
  const full = [of, of, outputs]
  const earlier = Tensor.less(Tensor.iota(full, 1), Tensor.iota(full, 0))
  const before = Tensor.or(Tensor.less(other, own), Tensor.and(Tensor.equal(other, own), earlier))
  return Tensor.less(Tensor.sum(Tensor.cast(before, "i32"), [1]), of - keep)
}

const onGrid = (values: T, scale: T, zero: T, levels: number): T => {
  const code = Tensor.add(Tensor.round(Tensor.div(values, scale)), zero)
  return Tensor.mul(Tensor.sub(Tensor.minimum(Tensor.maximum(code, 0), levels), zero), scale)
}

/**
 * The inner loop of SparseGPT and GPTQ over one block, column by column (Frantar & Alistarh 2023,
 * algorithm 1): q = what the column may be, e = (w − q) / U_ii, and the columns after it give way by
 * e · U_i. `removed` [columns, outputs] is 1 where a weight becomes 0; with `rule` it is not read.
 */
const sweep = (
  [weights, factor, removed, scales, zeros]: ReadonlyArray<T>,
  rule: GroupRule | undefined,
  levels: number,
): SweptBlock => {
  const [columns, outputs] = weights.shape
  const of = rule?.of ?? 1
  const diagonal = Tensor.sum(
    Tensor.mul(
      factor,
      Tensor.cast(
        Tensor.equal(Tensor.iota([columns, columns], 0), Tensor.iota([columns, columns], 1)),
        "f32",
      ),
    ),
    [1],
  )
  const { ys } = Program.scan(
    (block: T, _: readonly [], group) => {
      const rows = Array.from({ length: of }, (__, i) => Tensor.add(Tensor.mul(group, of), i))
      const at = (x: T): ReadonlyArray<T> => rows.map((row) => Tensor.take(x, row))
      const pivots = at(diagonal)
      let mask = at(removed).map((row) => Tensor.notEqual(row, 0))
      if (rule !== undefined) {
        const scores = at(block).map((row, i) => Tensor.square(Tensor.div(row, pivots[i])))
        const chosen = removedOf(Tensor.stack(scores, 0), rule.keep)
        mask = rows.map((__, i) => Tensor.reshape(Tensor.sliceAxis(chosen, 0, i, i + 1), [outputs]))
      }
      let left = block
      const kept: Array<T> = []
      const errors: Array<T> = []
      for (const [i, row] of rows.entries()) {
        const column = Tensor.take(left, row)
        const survivors = Tensor.where(mask[i], 0, column)
        const stored =
          levels === 0
            ? survivors
            : onGrid(survivors, Tensor.take(scales, row), Tensor.take(zeros, row), levels)
        const error = Tensor.div(Tensor.sub(column, stored), pivots[i])
        const step = Tensor.mul(
          Tensor.reshape(Tensor.take(factor, row), [columns, 1]),
          Tensor.reshape(error, [1, outputs]),
        )
        left = Tensor.sub(left, step)
        kept.push(stored)
        errors.push(error)
      }
      return { carry: left, y: { kept: Tensor.stack(kept, 0), errors: Tensor.stack(errors, 0) } }
    },
    { carry: weights, length: columns / of },
  )
  const flat = (x: T) => Tensor.reshape(x, [columns, outputs])
  return { kept: flat(ys.kept), errors: flat(ys.errors) }
}

const kernel = Kernel.define<{
  readonly keep: number
  readonly of: number
  readonly levels: number
}>({
  name: "sweep columns",
  reference: (inputs, { keep, of, levels }) => {
    const { kept, errors } = sweep(inputs, of === 0 ? undefined : { keep, of }, levels)
    return [kept, errors]
  },
  wasm: (_, { inputs, attributes }) => {
    const [columns, outputs] = inputs[0].shape
    return columnCode({ columns, outputs, ...attributes })
  },
})

/**
 * Prunes and quantises one block of columns: weights [columns, outputs], the block's part of the upper
 * factor U of the inverse Hessian [columns, columns], and `removed` [columns, outputs] with 1 where a
 * weight goes. With a rule, `removed` is not looked at: the weights are chosen by (w / U_jj)² as the
 * sweep reaches each group. With a grid, what stays is rounded to it.
 *
 * Source: Frantar & Alistarh 2023, "SparseGPT", algorithm 1; Frantar et al. 2023, "GPTQ".
 */
export const sweepBlock = (
  weights: T,
  factor: T,
  removed: T,
  rule?: GroupRule,
  grid?: ColumnGrid,
): SweptBlock => {
  const { keep, of } = rule ?? { keep: 0, of: 0 }
  const given = grid === undefined ? [] : [grid.scales, grid.zeros]
  const attributes = { keep, of, levels: grid?.levels ?? 0 }
  const [kept, errors] = kernel([weights, factor, removed, ...given], attributes)
  return { kept, errors }
}
