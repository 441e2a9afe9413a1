import type { Matrix } from "@espalier/tensor"
import { Matrix as Matrices } from "@espalier/tensor"
import type { Target } from "./stages.ts"
import { stripColumns, tileBytes, tileExtent } from "./tile.ts"

/**
 * The lower triangle of a symmetric matrix, cut into tiles that lie row after row in the memory: half
 * of what the square would take. The size is rounded up to a multiple of 4 by ones on the diagonal.
 */
export class Triangle implements Target {
  readonly size: number
  /** Rows of tiles, and rows of the last of them. */
  readonly count: number
  readonly lastRows: number
  readonly address: number
  readonly stride = 0
  readonly #memory: WebAssembly.Memory

  constructor(size: number, address: number, memory: WebAssembly.Memory) {
    this.size = size
    this.count = tilesAcross(size)
    this.lastRows = Math.ceil(size / stripColumns) * stripColumns - (this.count - 1) * tileExtent
    this.address = address
    this.#memory = memory
  }

  rowsOf(row: number): number {
    return row === this.count - 1 ? this.lastRows : tileExtent
  }

  /** Address of a tile. */
  addressOf(row: number, column: number): number {
    return this.address + ((row * (row + 1)) / 2 + column) * tileBytes
  }

  /** A tile as numbers, until the memory grows. */
  tile(row: number, column: number): Float64Array {
    const length = tileExtent * tileExtent
    return new Float64Array(this.#memory.buffer, this.addressOf(row, column), length)
  }

  /** For each tile: where it begins, and its rows and columns within the matrix. */
  #each(visit: (tile: Float64Array, i0: number, i1: number, j0: number, j1: number) => void): void {
    for (let row = 0; row < this.count; row++) {
      const i0 = row * tileExtent
      for (let column = 0; column <= row; column++) {
        const j0 = column * tileExtent
        const ends = [i0, j0].map((from) => Math.min(from + tileExtent, this.size))
        visit(this.tile(row, column), i0, ends[0], j0, ends[1])
      }
    }
  }

  #pad(): void {
    const last = this.count - 1
    for (let i = this.size - last * tileExtent; i < this.lastRows; i++) {
      for (let column = 0; column <= last; column++) {
        this.tile(last, column).fill(0, i * tileExtent, (i + 1) * tileExtent)
      }
      this.tile(last, last)[i * tileExtent + i] = 1
    }
  }

  /** Takes the lower triangle of a matrix. */
  load({ data }: Matrix.Matrix): void {
    const n = this.size
    this.#each((tile, i0, i1, j0, j1) => {
      for (let i = i0; i < i1; i++) {
        tile.set(data.subarray(i * n + j0, i * n + Math.min(j1, i + 1)), (i - i0) * tileExtent)
      }
    })
    this.#pad()
  }

  /** Takes the lower triangle of a matrix whose rows and columns are reversed. */
  loadReversed({ data }: Matrix.Matrix): void {
    const last = this.size - 1
    this.#each((tile, i0, i1, j0, j1) => {
      // Element (i, j) of the reversed matrix is (last − j, last − i) of the given one.
      for (let j = j0; j < j1; j++) {
        const row = (last - j) * this.size + last
        for (let i = Math.max(i0, j); i < i1; i++) {
          tile[(i - i0) * tileExtent + j - j0] = data[row - i]
        }
      }
    })
    this.#pad()
  }

  /** Takes a symmetric matrix, given as its upper triangle, with rows and columns reversed. */
  loadReversedUpper(data: Matrix.Numbers): void {
    const last = this.size - 1
    this.#each((tile, i0, i1, j0, j1) => {
      for (let i = i0; i < i1; i++) {
        // Element (i, j) of the reversed matrix is (last − i, last − j) of the given one.
        const row = Matrices.upperRow(this.size, last - i) + i
        const to = (i - i0) * tileExtent - j0
        const end = Math.min(j1, i + 1)
        for (let j = j0; j < end; j++) tile[to + j] = data[row - j]
      }
    })
    this.#pad()
  }

  /** Writes the triangle with its rows and columns reversed, as an upper triangle. */
  storeReversedUpper(data: Matrix.Numbers): void {
    const last = this.size - 1
    this.#each((tile, i0, i1, j0, j1) => {
      for (let i = i0; i < i1; i++) {
        const row = Matrices.upperRow(this.size, last - i) + i
        const from = (i - i0) * tileExtent - j0
        const end = Math.min(j1, i + 1)
        for (let j = j0; j < end; j++) data[row - j] = tile[from + j]
      }
    })
  }

  /** Writes the triangle with zeros above it. */
  store(data: Matrix.Numbers): void {
    const n = this.size
    this.#each((tile, i0, i1, j0, j1) => {
      for (let i = i0; i < i1; i++) {
        const from = (i - i0) * tileExtent
        data.set(tile.subarray(from, from + Math.min(j1, i + 1) - j0), i * n + j0)
      }
    })
    for (let i = 0; i < n; i++) data.fill(0, i * n + i + 1, (i + 1) * n)
  }

  /** Writes the triangle with its rows and columns reversed: above zeros. */
  storeReversed(data: Matrix.Numbers): void {
    const last = this.size - 1
    this.#each((tile, i0, i1, j0, j1) => {
      for (let i = i0; i < i1; i++) {
        const row = (last - i) * this.size + last
        const from = (i - i0) * tileExtent - j0
        const end = Math.min(j1, i + 1)
        for (let j = j0; j < end; j++) data[row - j] = tile[from + j]
      }
    })
    for (let i = 0; i <= last; i++) data.fill(0, i * (last + 1), i * (last + 1) + i)
  }

  /** Writes a negated symmetric matrix whose tiles below the diagonal are transposed. */
  storeSymmetric(data: Matrix.Numbers): void {
    const n = this.size
    this.#each((tile, i0, i1, j0, j1) => {
      for (let j = j0; j < j1; j++) {
        const from = (j - j0) * tileExtent - i0
        const end = i0 === j0 ? j + 1 : i1
        for (let i = i0; i < end; i++) data[j * n + i] = data[i * n + j] = -tile[from + i]
      }
    })
  }
}

/** Tiles that cover a number of rows. */
export const tilesAcross = (size: number): number => Math.ceil(size / tileExtent)
