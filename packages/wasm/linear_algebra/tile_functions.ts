import type { WasmEncoder } from "@espalier/tensor"
import type { Code, LeftSide, Sums } from "./tile.ts"
import {
  advance,
  loadSums,
  loopWhileBelow,
  makeSums,
  pushLeast,
  rowBytes,
  stepBytes,
  storeSums,
  stripBytes,
  stripColumns,
  subtractProduct,
  subtractProducts,
  tileRows,
} from "./tile.ts"

type Function = WasmEncoder.FunctionBuilder

/** Works through rows in register tiles, and one by one through those that are left. */
const overRows = (
  f: Function,
  relaxed: boolean,
  rows: number,
  body: (count: number, sums: Sums) => void,
): void => {
  for (const count of [tileRows(relaxed), 1]) {
    const sums = makeSums(f, count)
    f.block((done) => {
      f.loop((next) => {
        f.get(rows).i32(count).op("i32.lt_s").branchIf(done)
        body(count, sums)
        advance(f, rows, -count)
        f.branch(next)
      })
    })
  }
}

/** For {@link subtractFunction}: a bound that binds nothing. */
export const unbounded = 1 << 20

/**
 * `c −= a · b` for tiles: `(c, a, b, rows, columns, steps, columnLimit, stepLimit, skew)`. Where parts
 * are known to be zero or unwanted, row `r` does with the columns up to `columnLimit + r` and the inner
 * steps up to `stepLimit + r`, and with a skew of 1 column `j` starts at inner step `j`.
 */
export const subtractFunction = ({ builder, relaxed }: Code, side: LeftSide): Function => {
  const f = builder.function(new Array(9).fill("i32"))
  const [c, a, b, rows, columns, steps, columnLimit, stepLimit, skew] = f.parameters.keys()
  const integer = () => f.local("i32")
  const [lastColumn, lastStep, column, first] = [integer(), integer(), integer(), integer()]
  const [target, strip, left, right, remaining] = [
    integer(),
    integer(),
    integer(),
    integer(),
    integer(),
  ]
  overRows(f, relaxed, rows, (count, sums) => {
    pushLeast(f, columns, columnLimit, count)
    f.set(lastColumn)
    pushLeast(f, steps, stepLimit, count)
    f.set(lastStep)
    f.i32(0).set(column).get(c).set(target).get(b).set(strip)
    loopWhileBelow(f, column, lastColumn, stripColumns, () => {
      f.get(skew).get(column).op("i32.mul").set(first)
      f.get(a).get(first).i32(side.along).op("i32.mul").op("i32.add").set(left)
      f.get(strip).get(first).i32(stepBytes).op("i32.mul").op("i32.add").set(right)
      f.get(lastStep).get(first).op("i32.sub").set(remaining)
      loadSums(f, target, sums)
      subtractProducts(f, relaxed, sums, side, [left, right, remaining])
      storeSums(f, target, sums)
      advance(f, target, 8 * stripColumns)
      advance(f, strip, stripBytes)
    })
    advance(f, c, count * rowBytes)
    advance(f, a, count * side.across)
    advance(f, columnLimit, count)
    advance(f, stepLimit, count)
  })
  return f
}

/** Both lanes of one half of a row hold its element in `column`. */
const spread = (f: Function, [low, high]: Sums[number], column: number): void => {
  const half = column < 2 ? low : high
  f.get(half).get(half)
  if (column % 2 === 0) f.shuffle(0, 1, 0, 1)
  else f.shuffle(2, 3, 2, 3)
}

/**
 * Replaces a row `x` of four by the solution `y` of `y · lᵀ = x`, where the rows of `lᵀ` lie at
 * `right`, with reciprocals on its diagonal.
 */
const solveRow = (f: Function, relaxed: boolean, right: number, row: Sums[number]): void => {
  const solved = [0, 1, 2, 3].map(() => f.local("v128"))
  const factor = f.local("v128")
  for (const [column, y] of solved.entries()) {
    const offset = column * stepBytes
    spread(f, row, column)
    f.get(right)
      .memory("v128.load64_splat", offset + 8 * column)
      .op("f64x2.mul")
      .set(y)
    for (const [half, sum] of row.entries()) {
      if (column >= 2 * half + 1) continue
      f.get(right)
        .memory("v128.load", offset + 16 * half)
        .set(factor)
      subtractProduct(f, relaxed, sum, y, factor)
    }
  }
  f.get(solved[0]).get(solved[1]).shuffle(0, 1, 4, 5).set(row[0])
  f.get(solved[2]).get(solved[3]).shuffle(0, 1, 4, 5).set(row[1])
}

/**
 * Replaces rows `x` of a tile by the solutions `y` of `y · lᵀ = x`, for the strips `[first, last)`:
 * `(x, packed, rows, first, last)`. `packed` is `lᵀ` with reciprocals on its diagonal.
 */
export const solveFunction = ({ builder, relaxed }: Code, side: LeftSide): Function => {
  const f = builder.function(new Array(5).fill("i32"))
  const [x, packed, rows, first, last] = f.parameters.keys()
  const integer = () => f.local("i32")
  const [strip, target, left, right, steps] = [
    integer(),
    integer(),
    integer(),
    integer(),
    integer(),
  ]
  overRows(f, relaxed, rows, (count, sums) => {
    f.get(first).set(strip)
    loopWhileBelow(f, strip, last, 1, () => {
      f.get(x)
        .get(strip)
        .i32(8 * stripColumns)
        .op("i32.mul")
        .op("i32.add")
        .set(target)
      f.get(packed).get(strip).i32(stripBytes).op("i32.mul").op("i32.add").set(right)
      f.get(strip).i32(stripColumns).op("i32.mul").set(steps)
      f.get(x).set(left)
      loadSums(f, target, sums)
      subtractProducts(f, relaxed, sums, side, [left, right, steps])
      for (const row of sums) solveRow(f, relaxed, right, row)
      storeSums(f, target, sums)
    })
    advance(f, x, count * rowBytes)
  })
  return f
}

/**
 * Packs columns into strips of four: `(packed, source, strips, steps, across, along)`, where `across`
 * are the bytes from column to column of the result in the source and `along` those from step to step.
 */
export const packFunction = ({ builder }: Code): Function => {
  const f = builder.function(new Array(6).fill("i32"))
  const [packed, source, strips, steps, across, along] = f.parameters.keys()
  const integer = () => f.local("i32")
  const [strip, step, target] = [integer(), integer(), integer()]
  const cursors = Array.from({ length: stripColumns }, integer)
  loopWhileBelow(f, strip, strips, 1, () => {
    for (const cursor of cursors) {
      f.get(source).set(cursor)
      f.get(source).get(across).op("i32.add").set(source)
    }
    f.get(packed).set(target).i32(0).set(step)
    loopWhileBelow(f, step, steps, 1, () => {
      for (const [i, cursor] of cursors.entries()) {
        f.get(target)
          .get(cursor)
          .memory("f64.load")
          .memory("f64.store", 8 * i)
        f.get(cursor).get(along).op("i32.add").set(cursor)
      }
      advance(f, target, stepBytes)
    })
    advance(f, packed, stripBytes)
  })
  return f
}
