import type { Matrix } from "@espalier/tensor"
import type { Target } from "./stages.ts"
import { tileBytes, tileExtent } from "./tile.ts"
import { tilesAcross } from "./triangle.ts"

/** Right sides of systems: the columns of a matrix, which lie as rows of tiles in the memory. */
export class RightSides implements Target {
  readonly address: number
  readonly stride: number
  readonly count: number
  readonly lastRows: number
  readonly #size: number
  readonly #sides: number
  readonly #memory: WebAssembly.Memory

  constructor(size: number, sides: number, address: number, memory: WebAssembly.Memory) {
    this.address = address
    this.stride = tilesAcross(size)
    this.count = tilesAcross(sides)
    this.lastRows = sides - (this.count - 1) * tileExtent
    this.#size = size
    this.#sides = sides
    this.#memory = memory
  }

  /** Where element 0 of some columns is that lie in a tile, for each of their rows. */
  #each(visit: (at: number, row: number, from: number, to: number) => void): void {
    for (let from = 0; from < this.#sides; from += tileExtent) {
      const to = Math.min(from + tileExtent, this.#sides)
      for (let row = 0; row < this.stride * tileExtent; row++) {
        const tile = (from / tileExtent) * this.stride + Math.floor(row / tileExtent)
        visit((this.address + tile * tileBytes) / 8 + (row % tileExtent), row, from, to)
      }
    }
  }

  load({ data }: Matrix.Matrix): void {
    const values = new Float64Array(this.#memory.buffer)
    this.#each((at, row, from, to) => {
      for (let i = from; i < to; i++) {
        const value = row < this.#size ? data[row * this.#sides + i] : 0
        values[at + (i - from) * tileExtent] = value
      }
    })
  }

  store(data: Matrix.Numbers): void {
    const values = new Float64Array(this.#memory.buffer)
    this.#each((at, row, from, to) => {
      if (row >= this.#size) return
      for (let i = from; i < to; i++) {
        data[row * this.#sides + i] = values[at + (i - from) * tileExtent]
      }
    })
  }
}
