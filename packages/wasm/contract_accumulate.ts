import type { Product } from "./contract.ts"
import type { Bound, Emitter } from "./emitter.ts"
import type { Evaluator } from "./expression_compiler.ts"
import { vectorLoop } from "./loops.ts"

/** Where a loop begins and ends. */
export interface Range {
  readonly from: Bound
  readonly to: Bound
}

/** Vectors a round: packed codes are taken out of their words with counts that are known then. */
export const roundsOf = (value: Product["columns"]["value"]): ReadonlyArray<number> =>
  value.kind === "load" ? [1] : [2, 1]

/** Evaluates the few rows once, into stretches of `stride` floats at the start of the scratch memory. */
export const keepRows = (
  emitter: Emitter,
  base: Evaluator,
  product: Product,
  stride: number,
  { from, to }: Range,
): void => {
  const { rows, inner } = product
  const { f } = emitter
  for (let row = 0; row < rows.extent; row++) {
    const evaluator = base.fork(inner.variable)
    if (rows.extent > 1) {
      f.i32(row)
      evaluator.bind(rows.variable, emitter.keep("i32"))
    }
    const roots = [rows.value]
    evaluator.hoist(roots)
    vectorLoop(evaluator, inner.variable, from, to, 1, roots, [], (place) => {
      const value = evaluator.vector(rows.value)
      f.get(emitter.scratch).get(place.local).i32(2).op("i32.shl").op("i32.add").get(value)
      if (place.lanes) f.memory("v128.store", 4 * row * stride)
      else f.memoryLane("v128.store32_lane", 0, 4 * row * stride)
    })
  }
}

/**
 * Inner steps of one pass over the sums. Rows of a matrix that lie a power of two apart fall on the same
 * set of the first-level cache: with the sums they have to stay below its eight ways.
 */
const oneRowSteps = 6
const fewRowsSteps = 4

/** Running sums of some columns: one stretch of floats for each row. */
export interface Sums {
  /** Local with the address that the sum of column 0 of the first row would have. */
  readonly origin: number
  /** Floats from one row to the next. */
  readonly across: number
}

/**
 * Adds what `inner` steps bring to the sums of `columns`, several steps a pass over the sums. The rows
 * are those of `keepRows`.
 */
export const accumulate = (
  emitter: Emitter,
  base: Evaluator,
  product: Product,
  stride: number,
  sums: Sums,
  columns: Range,
  steps: Range,
): void => {
  const { f } = emitter
  const { rows, inner } = product
  const { variable, value: matrix } = product.columns
  const pass = (step: number, count: number): void => {
    const readers = Array.from({ length: count }, (_, u) => {
      const reader = base.fork(variable)
      f.get(step).i32(u).op("i32.add")
      reader.bind(inner.variable, emitter.keep("i32"))
      reader.hoist([matrix])
      return reader
    })
    const left = Array.from({ length: rows.extent }, (_, row) =>
      readers.map((_, u) => {
        f.get(emitter.scratch).get(step).i32(2).op("i32.shl").op("i32.add")
        f.memory("v128.load32_splat", 4 * (row * stride + u))
        return emitter.keep("v128")
      }),
    )
    const place = f.local("i32")
    const add = (lanes: boolean, shift = 0, multiple = 4): void => {
      const values = readers.map((reader) => {
        let value = 0
        reader.scope(() => {
          if (lanes) reader.bindLanes(variable, place, 1, shift, multiple)
          else reader.bind(variable, place)
          value = reader.vector(matrix)
        })
        return value
      })
      f.get(sums.origin).get(place).i32(2).op("i32.shl").op("i32.add")
      const address = emitter.keep("i32")
      for (const [row, factors] of left.entries()) {
        const offset = 4 * (row * sums.across + shift)
        f.get(address).memory(lanes ? "v128.load" : "v128.load32_splat", offset)
        const sum = emitter.keep("v128")
        for (const [u, factor] of factors.entries()) {
          f.get(factor).get(values[u])
          emitter.multiplyAdd(() => f.get(sum))
          f.set(sum)
        }
        f.get(address).get(sum)
        if (lanes) f.memory("v128.store", offset)
        else f.memoryLane("v128.store32_lane", 0, offset)
      }
    }
    emitter.push(columns.from)
    f.set(place)
    for (const vectors of roundsOf(matrix)) {
      const width = 4 * vectors
      const whole = emitter.wholeSteps({ local: place }, columns.to, width)
      emitter.loopFrom(place, whole, width, () => {
        for (let u = 0; u < vectors; u++) add(true, 4 * u, width)
      })
    }
    emitter.loopFrom(place, columns.to, 1, () => add(false))
  }
  const step = f.local("i32")
  emitter.push(steps.from)
  f.set(step)
  const atOnce = rows.extent === 1 ? oneRowSteps : fewRowsSteps
  const whole = emitter.wholeSteps(steps.from, steps.to, atOnce)
  emitter.loopFrom(step, whole, atOnce, () => pass(step, atOnce))
  emitter.loopFrom(step, steps.to, 1, () => pass(step, 1))
}
