import { transposeLanes } from "@espalier/tensor"
import type { Product } from "./contract.ts"
import { prefers } from "./contract_parts.ts"
import type { Bound, Emitter } from "./emitter.ts"
import type { Evaluator } from "./expression_compiler.ts"

/** A panel to be filled: rows `[row, row + count)` of an operand over the inner steps `[start, end)`. */
export interface Panel {
  /** Local with the first row. */
  readonly row: number
  /** Rows that exist; the other places of the panel are left as they are. */
  readonly count: number
  /** Rows that the panel has places for. */
  readonly width: number
  readonly start: Bound
  readonly end: Bound
  /** Local with the address; it moves on to the end of the panel. */
  readonly target: number
}

/** Where groups of four neighbouring rows begin; the last group may overlap the one before it. */
const groupsOfFour = (count: number): ReadonlyArray<number> => {
  const starts: Array<number> = []
  for (let start = 0; start < count; start += 4) starts.push(Math.min(start, count - 4))
  return starts
}

const rowReader = (
  base: Evaluator,
  operand: Product["rows"],
  row: number,
  offset: number,
  lanes: number | undefined,
): Evaluator => {
  const { emitter } = base
  const reader = base.fork(lanes)
  if (offset === 0) reader.bind(operand.variable, row)
  else {
    emitter.f.get(row).i32(offset).op("i32.add")
    reader.bind(operand.variable, emitter.keep("i32"))
  }
  reader.hoist([operand.value])
  return reader
}

const read = (reader: Evaluator, value: Product["rows"]["value"], bind: () => void): number => {
  let local = 0
  reader.scope(() => {
    bind()
    local = reader.vector(value)
  })
  return local
}

/** Stores four steps of up to four rows (one vector a row) in the places of those rows. */
const storeTransposed = (
  emitter: Emitter,
  rows: ReadonlyArray<number>,
  target: number,
  place: number,
  step: number,
): void => {
  const { f } = emitter
  const [a, b = a, c = a, d = a] = rows
  if (rows.length === 1) {
    for (let k = 0; k < 4; k++) {
      f.get(target)
        .get(a)
        .memoryLane("v128.store32_lane", k, k * step + place)
    }
  } else if (rows.length === 2) {
    for (const half of [0, 1]) {
      const lane = 2 * half
      f.get(a)
        .get(b)
        .shuffle(lane, lane + 4, lane + 1, lane + 5)
      const pair = emitter.keep("v128")
      for (const k of [0, 1]) {
        f.get(target)
          .get(pair)
          .memoryLane("v128.store64_lane", k, (2 * half + k) * step + place)
      }
    }
  } else {
    for (const [k, column] of transposeLanes(emitter.f, [a, b, c, d]).entries()) {
      f.get(target).get(column)
      if (rows.length === 4) f.memory("v128.store", k * step + place)
      else {
        f.memoryLane("v128.store64_lane", 0, k * step + place)
        f.get(target)
          .get(column)
          .memoryLane("v128.store32_lane", 2, k * step + place + 8)
      }
    }
  }
}

/** Fills a panel: inner step after inner step, in each the values of its rows. */
export const packPanel = (
  base: Evaluator,
  operand: Product["rows"],
  inner: Product["inner"],
  { row, count, width, start, end, target }: Panel,
): void => {
  const { emitter } = base
  const { f } = emitter
  const { variable, value } = operand
  const step = 4 * width
  const position = f.local("i32")
  emitter.push(start)
  f.set(position)
  const advance = (steps: number): void => {
    f.get(target)
      .i32(step * steps)
      .op("i32.add")
      .set(target)
  }
  if (count >= 4 && prefers(value, operand, inner)) {
    const reader = base.fork(variable)
    reader.bindLanes(variable, row)
    reader.hoist([value])
    emitter.loopFrom(position, end, 1, () => {
      for (const group of groupsOfFour(count)) {
        const local = read(reader, value, () => {
          reader.bindLanes(variable, row, 1, group, width)
          reader.bind(inner.variable, position)
        })
        f.get(target)
          .get(local)
          .memory("v128.store", 4 * group)
      }
      advance(1)
    })
    return
  }
  const readers = Array.from({ length: count }, (_, i) =>
    rowReader(base, operand, row, i, inner.variable),
  )
  emitter.loopFrom(position, emitter.wholeSteps(start, end, 4), 4, () => {
    for (let group = 0; group < count; group += 4) {
      const vectors = readers
        .slice(group, group + 4)
        .map((reader) => read(reader, value, () => reader.bindLanes(inner.variable, position)))
      storeTransposed(emitter, vectors, target, 4 * group, step)
    }
    advance(4)
  })
  emitter.loopFrom(position, end, 1, () => {
    for (const [i, reader] of readers.entries()) {
      const local = read(reader, value, () => reader.bind(inner.variable, position))
      f.get(target)
        .get(local)
        .memoryLane("v128.store32_lane", 0, 4 * i)
    }
    advance(1)
  })
}
