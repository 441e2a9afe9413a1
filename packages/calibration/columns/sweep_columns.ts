import type { CompileError, Device, HostArray as Hosts } from "@espalier/tensor"
import { DeviceArray, HostArray, Matrix, Program, Scalar, Spec, Tensor } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { Programs } from "../programs.ts"
import type { GroupRule } from "./column_block.ts"
import { sweepBlock } from "./column_block.ts"

type T = Tensor.Tensor

/** What becomes of the columns. */
export interface ColumnRule {
  /** Names everything below: rules of one name share their programs. */
  readonly name: string
  /**
   * Which weights of a block go, decided before its first column: `bool` [columns, outputs] from the
   * block's weights [columns, outputs] and the diagonal of its factor [columns, 1].
   */
  readonly mask?: (weights: T, diagonal: T) => T
  /** N:M: which weights go is decided group by group, on the weights as they are by then. */
  readonly group?: GroupRule
}

/** Scales and zero points of some columns, [columns, outputs] each. */
export interface GridValues {
  readonly scales: Float32Array
  readonly zeros: Float32Array
}

/** What weights are rounded to: scale · (code − zero), codes 0 … `levels`. */
export interface QuantisationGrid {
  readonly levels: number
  /**
   * The grid of a block of columns. `weights`, [columns, outputs], are these columns as they are by
   * then: those before them have been rounded, and they have made good for it.
   */
  readonly of: (
    first: number,
    columns: number,
    weights: Effect.Effect<Float32Array, Program.RunError | CompileError, Device | Scope.Scope>,
  ) => Effect.Effect<GridValues, Program.RunError | CompileError, Device | Scope.Scope>
}

/** Options of {@link sweepColumns}. */
export interface SweepOptions {
  readonly rule: ColumnRule
  /** Rounds what stays. */
  readonly grid?: QuantisationGrid
  /** Columns that are swept together before the others give way; 128. */
  readonly blockSize?: number
  /** Inputs that calibration never saw: their weights become 0 first. */
  readonly dead?: ReadonlyArray<number>
}

/** What {@link sweepColumns} gives. */
export interface Swept {
  /** [outputs, inputs]. */
  readonly weight: Hosts.HostArray
  /** Σ ((w − q) / U_ii)²: how much ‖(W − W₀) X‖² has grown, damping included. */
  readonly error: number
}

const diagonalOf = (factor: T): T => {
  const [columns] = factor.shape
  const onDiagonal = Tensor.equal(
    Tensor.iota([columns, columns], 0),
    Tensor.iota([columns, columns], 1),
  )
  return Tensor.sum(Tensor.where(onDiagonal, factor, 0), [1], { keepDims: true })
}

/**
 * One block of the columns that are left: weights [rest, outputs], swept from row `at` on; the rows
 * after the block give way.
 */
const blockProgram = (
  rest: number,
  outputs: number,
  columns: number,
  rule: ColumnRule,
  levels: number,
) => {
  const block = Spec.f32([columns, outputs])
  const grid: Readonly<Record<string, Spec>> = levels === 0 ? {} : { scales: block, zeros: block }
  return Program.make(
    "sweep",
    {
      weights: Spec.f32([rest, outputs]),
      at: Spec.i32([]),
      factor: Spec.f32([columns, columns]),
      tail: Spec.f32([columns, rest]),
      error: Scalar,
      grid,
    },
    ({ weights, at, factor, tail, error, grid: { scales, zeros } }) => {
      const rows = Tensor.add(Tensor.iota([columns], 0), at)
      const block = Tensor.take(weights, rows)
      const removed =
        rule.mask === undefined
          ? Tensor.zeros([columns, outputs])
          : Tensor.cast(rule.mask(block, diagonalOf(factor)), "f32")
      const given = levels === 0 ? undefined : { scales, zeros, levels }
      const { kept, errors } = sweepBlock(block, factor, removed, rule.group, given)
      const left = Tensor.sub(weights, Tensor.matmul(Tensor.transpose(tail), errors))
      return {
        weights: Tensor.updateRows(left, rows, kept),
        error: Tensor.add(error, Tensor.sum(Tensor.square(errors))),
      }
    },
  )
}

/** Some rows of the weights that are left. */
const lookProgram = (rest: number, outputs: number, columns: number) =>
  Program.make(
    "look",
    { weights: Spec.f32([rest, outputs]), at: Spec.i32([]) },
    ({ weights, at }) => Tensor.take(weights, Tensor.add(Tensor.iota([columns], 0), at)),
  )

/** Weights [outputs, inputs] as [inputs, outputs], where `kept` is 0 with zeros. */
const turnProgram = (outputs: number, inputs: number) =>
  Program.make(
    "turn",
    { matrix: Spec.f32([outputs, inputs]), kept: Spec.f32([inputs, 1]) },
    (given) => Tensor.mul(Tensor.transpose(given.matrix), given.kept),
  )

/** Takes the first `done` columns out of [rest, outputs]: they are [outputs, done] as everywhere else. */
const splitProgram = (rest: number, outputs: number, done: number) =>
  Program.make("split", { weights: Spec.f32([rest, outputs]) }, ({ weights }) => ({
    done: Tensor.transpose(Tensor.sliceAxis(weights, 0, 0, done)),
    // There is no matrix of no rows: after the last columns it stays as it is.
    weights: Tensor.sliceAxis(weights, 0, done === rest ? 0 : done, rest),
  }))

/**
 * Takes what a block needs out of the factor: its rows and columns, and its rows after it for all
 * columns from `from` on. What it gives is good until it is called again: a layer has many blocks.
 */
const makeParts = ({ size: n, data }: Matrix.UpperTriangle, blockSize: number) => {
  const square = new Float32Array(blockSize * blockSize)
  const rest = new Float32Array(blockSize * n)
  return (from: number, first: number, count: number) => {
    const factor = square.subarray(0, count * count).fill(0)
    const tail = rest.subarray(0, count * (n - from)).fill(0)
    for (let i = 0; i < count; i++) {
      // From the diagonal on: as much as belongs to the block, and the rest.
      const row = data.subarray(Matrix.upperRow(n, first + i), Matrix.upperRow(n, first + i + 1))
      factor.set(row.subarray(0, count - i), i * count + i)
      tail.set(row.subarray(count - i), i * (n - from) + first + count - from)
    }
    return {
      factor: HostArray.make([count, count], factor),
      tail: HostArray.make([count, n - from], tail),
    }
  }
}

/**
 * Blocks after which the columns that are done leave the matrix: the others give way in fewer and
 * fewer rows, at the price of a program for each width.
 */
const blocksTogether = 4

/**
 * Goes through the inputs of a weight [outputs, inputs] one after the other, as SparseGPT and GPTQ do:
 * each column becomes what `rule` allows, and the columns after it make good for the error as far as
 * the calibration text lets them. `factor` is the upper factor of the inverse Hessian.
 *
 * Source: Frantar & Alistarh 2023, "SparseGPT", algorithm 1; Frantar et al. 2023, "GPTQ", algorithm 1.
 */
export const sweepColumns = Effect.fn("sweepColumns")(function* (
  programs: Programs,
  weight: Hosts.HostArray,
  factor: Matrix.UpperTriangle,
  options: SweepOptions,
) {
  const { rule, grid, blockSize = 128, dead = [] } = options
  const levels = grid?.levels ?? 0
  const [outputs, inputs] = weight.shape as readonly [number, number]
  const kept = new Float32Array(inputs).fill(1)
  for (const j of dead) kept[j] = 0
  const turn = yield* programs.get(`turn ${outputs}x${inputs}`, () => turnProgram(outputs, inputs))
  let state = {
    weights: yield* turn({ matrix: weight, kept: HostArray.make([inputs, 1], kept) }),
    error: yield* DeviceArray.fromHost(HostArray.make([], [0])),
  }
  const swept = new Float32Array(outputs * inputs)
  const partsOf = makeParts(factor, Math.min(blockSize, inputs))
  const gridOf = Effect.fnUntraced(function* (
    first: number,
    columns: number,
    at: number,
    rest: number,
  ) {
    if (grid === undefined) return {}
    const { weights } = state
    const look = Effect.gen(function* () {
      const key = `look ${rest}x${outputs} ${columns}`
      const run = yield* programs.get(key, () => lookProgram(rest, outputs, columns))
      const { data } = yield* DeviceArray.toHost(yield* run({ weights, at }))
      return Float32Array.from(data)
    })
    const { scales, zeros } = yield* grid.of(first, columns, look)
    const shape = [columns, outputs]
    return { scales: HostArray.make(shape, scales), zeros: HostArray.make(shape, zeros) }
  })
  const together = blockSize * blocksTogether
  for (let from = 0; from < inputs; from += together) {
    const rest = inputs - from
    const done = Math.min(together, rest)
    for (let at = 0; at < done; at += blockSize) {
      const columns = Math.min(blockSize, done - at)
      const key = `sweep ${rule.name} ${rest}x${outputs} ${columns} ${levels}`
      const run = yield* programs.get(key, () => blockProgram(rest, outputs, columns, rule, levels))
      const first = from + at
      const values = yield* gridOf(first, columns, at, rest)
      const parts = partsOf(from, first, columns)
      const given = { ...state, at, ...parts, grid: values }
      state = yield* run(given, { donate: ["weights", "error"] })
      yield* Effect.yieldNow
    }
    const key = `split ${rest}x${outputs} ${done}`
    const split = yield* programs.get(key, () => splitProgram(rest, outputs, done))
    const parts = yield* split({ weights: state.weights }, { donate: ["weights"] })
    const { data } = yield* DeviceArray.toHost(parts.done)
    DeviceArray.release(parts.done)
    for (let r = 0; r < outputs; r++) {
      swept.set(data.subarray(r * done, (r + 1) * done), r * inputs + from)
    }
    state = { ...state, weights: parts.weights }
  }
  const [error] = yield* DeviceArray.toArray(state.error)
  const result: Swept = { weight: HostArray.make([outputs, inputs], swept), error }
  return result
}, Effect.scoped)
