import type { Engine, Work } from "./engine.ts"
import { stepBytes, stripColumns, tileExtent } from "./tile.ts"
import type { Triangle } from "./triangle.ts"

/** A pivot that is not positive, or not finite. */
export class BadPivot extends Error {
  readonly row: number
  readonly value: number
  constructor(row: number, value: number) {
    super()
    this.row = row
    this.value = value
  }
}

/** A factorisation that can be interrupted between columns of tiles. */
export type Steps = Generator<void, void>

const step = stepBytes / 8

/**
 * Writes one strip of the transposed diagonal tile, with reciprocals on the diagonal: the right side
 * of `solve`.
 */
const packStrip = (tile: Float64Array, packed: Float64Array, from: number): void => {
  for (let column = 0; column < stripColumns; column++) {
    const row = (from + column) * tileExtent
    const diagonal = from + column
    for (let k = 0; k < diagonal; k++) packed[k * step + column] = tile[row + k]
    packed[diagonal * step + column] = 1 / tile[row + diagonal]
    for (let k = diagonal + 1; k < from + stripColumns; k++) packed[k * step + column] = 0
  }
}

/** Factors the four rows and columns of the diagonal tile from `from` on. */
const factorCorner = (tile: Float64Array, from: number): BadPivot | undefined => {
  for (let i = from; i < from + stripColumns; i++) {
    const row = i * tileExtent
    for (let j = from; j <= i; j++) {
      const other = j * tileExtent
      let value = tile[row + j]
      for (let k = 0; k < j; k++) value -= tile[row + k] * tile[other + k]
      if (j < i) tile[row + j] = value / tile[other + j]
      else if (value > 0 && Number.isFinite(value)) tile[row + i] = Math.sqrt(value)
      else return new BadPivot(i, value)
    }
  }
  return undefined
}

/** Factors the tile on the diagonal and leaves it packed. */
const factorDiagonal = (engine: Engine, triangle: Triangle, at: number): void => {
  const tile = triangle.tile(at, at)
  const address = triangle.addressOf(at, at)
  const rows = triangle.rowsOf(at)
  for (let from = 0; from < rows; from += stripColumns) {
    const strip = from / stripColumns
    const bad = factorCorner(tile, from)
    if (bad !== undefined) throw new BadPivot(at * tileExtent + bad.row, bad.value)
    packStrip(tile, engine.diagonalStrip(strip), from)
    const below = from + stripColumns
    engine.solve(address + 8 * below * tileExtent, rows - below, strip, strip + 1)
  }
}

/**
 * `l` in the place of `a = l · lᵀ`, by columns of tiles from left to right: each takes over what lies
 * to its left, then its diagonal is factored and the rest solved with that. Throws {@link BadPivot}.
 */
export function* factor(engine: Engine, { triangle }: Work): Steps {
  for (let at = 0; at < triangle.count; at++) {
    engine.run("packRow", at, { extent: at })
    engine.run("updateColumn", at, { first: at })
    factorDiagonal(engine, triangle, at)
    engine.run("solveColumn", at, { first: at + 1 })
    yield
  }
}

/** Packs the transposed tile on the diagonal of a factor. */
const packDiagonal = (engine: Engine, triangle: Triangle, at: number): void => {
  const tile = triangle.tile(at, at)
  const rows = triangle.rowsOf(at)
  for (let from = 0; from < rows; from += stripColumns) {
    packStrip(tile, engine.diagonalStrip(from / stripColumns), from)
  }
}

/** Rows that are solved together: they begin at the same strip. */
const groupRows = 12

/** Inverts the tile on the diagonal; its negative stays packed. */
const invertDiagonal = (engine: Engine, triangle: Triangle, at: number): void => {
  const tile = triangle.tile(at, at)
  const rows = triangle.rowsOf(at)
  packDiagonal(engine, triangle, at)
  // −l⁻ᵀ: the solution of x · lᵀ = −1.
  const solution = engine.values(engine.spare, tileExtent * tileExtent)
  solution.fill(0)
  for (let i = 0; i < rows; i++) solution[i * tileExtent + i] = -1
  for (let from = 0; from < rows; from += groupRows) {
    const address = engine.spare + 8 * from * tileExtent
    const group = Math.min(groupRows, rows - from)
    engine.solve(address, group, from / stripColumns, rows / stripColumns)
  }
  for (let i = 0; i < rows; i++) {
    const row = i * tileExtent
    for (let j = 0; j <= i; j++) tile[row + j] = -solution[j * tileExtent + i]
    tile.fill(0, row + i + 1, row + rows)
  }
  engine.packTransposed(engine.spare, rows)
}

/** `l⁻¹` in the place of `l`, by columns of tiles from right to left. */
export function* invert(engine: Engine, { triangle }: Work): Steps {
  for (let at = triangle.count - 1; at >= 0; at--) {
    engine.run("packColumn", at, { first: at + 1 })
    invertDiagonal(engine, triangle, at)
    engine.run("invertColumn", at, { first: at + 1 })
    yield
  }
}

/** `−lᵀ · l` in the place of `l`, tiles below the diagonal transposed; by rows from the first on. */
export function* multiplyTransposed(engine: Engine, { triangle }: Work): Steps {
  for (let at = 0; at < triangle.count; at++) {
    engine.run("packColumn", at, { first: at })
    engine.run("multiplyRow", at, { extent: at + 1 })
    yield
  }
}

/** The solutions of `l · x = b` in the place of the right sides. */
export function* solveForwards(engine: Engine, { triangle, rightSides }: Work): Steps {
  for (let at = 0; at < triangle.count; at++) {
    engine.run("packRow", at, { extent: at })
    engine.run("updateColumn", at, { target: rightSides })
    packDiagonal(engine, triangle, at)
    engine.run("solveColumn", at, { target: rightSides })
    yield
  }
}

/** The solutions of `lᵀ · x = b` in the place of the right sides. The diagonal of `l` is lost. */
export function* solveBackwards(engine: Engine, { triangle, rightSides }: Work): Steps {
  for (let at = triangle.count - 1; at >= 0; at--) {
    engine.run("packColumn", at, { first: at + 1 })
    invertDiagonal(engine, triangle, at)
    engine.run("solveBackwards", at, { target: rightSides })
    yield
  }
}
