import { WasmEncoder } from "@espalier/tensor"
import type { Code } from "./tile.ts"
import {
  loopWhileBelow,
  rowBytes,
  stripColumns,
  tileBytes,
  tileExtent,
  turned,
  upright,
} from "./tile.ts"
import { packFunction, solveFunction, subtractFunction, unbounded } from "./tile_functions.ts"

/**
 * The parts of the factorisations that threads share: each is a function of a range of bands, which
 * are some rows of one tile. Every element is computed by the same instructions in the same order,
 * however the bands are dealt out.
 */

/** What every stage is told, after its range and its working memory. */
export interface StageOperands {
  /** Address of the lower triangle of tiles, row after row of tiles. */
  readonly tiles: number
  /** Rows and columns of tiles in the triangle, and rows of the last of them. */
  readonly count: number
  readonly lastRows: number
  /** Address of a packed row or column of tiles. */
  readonly panel: number
  /** Address of the packed tile on the diagonal. */
  readonly diagonal: number
  /** The column (or row) of tiles that is worked on. */
  readonly at: number
  /** The tiles that bands are taken from: the triangle, or right sides of systems. */
  readonly target: Target
  /** The row of tiles of the first band. */
  readonly first: number
  /** Rows of a band, a divisor of those of a tile. */
  readonly bandRows: number
}

/** Rows of tiles that a stage changes. */
export interface Target {
  readonly address: number
  /** Tiles from row to row; 0 for the triangle, where each row has one more than the last. */
  readonly stride: number
  readonly count: number
  readonly lastRows: number
}

/** The operands in the order of the parameters. */
export const operandsOf = (given: StageOperands): ReadonlyArray<number> => [
  given.tiles,
  given.count,
  given.lastRows,
  given.panel,
  given.diagonal,
  given.at,
  given.target.address,
  given.target.stride,
  given.target.count,
  given.target.lastRows,
  given.first,
  given.bandRows,
]

/** Parameters of a stage: its range, its working memory and the operands. */
const parameterCount = 4 + 12

export const stageNames = [
  "packRow",
  "updateColumn",
  "solveColumn",
  "packColumn",
  "invertColumn",
  "multiplyRow",
  "solveBackwards",
] as const

export type StageName = (typeof stageNames)[number]

type Function = WasmEncoder.FunctionBuilder

/** One stage while it is written: its parameters, and the band that is worked on. */
class Stage {
  readonly f: Function
  readonly scratch: number
  readonly tiles: number
  readonly count: number
  readonly panel: number
  readonly diagonal: number
  readonly at: number
  readonly first: number
  /** Row of tiles of the band. */
  readonly row: number
  /** Its first row in the tile, as a number and in bytes; and how many. */
  readonly firstRow: number
  readonly offset: number
  readonly rows: number
  readonly #lastRows: number
  readonly #target: { address: number; stride: number; count: number; lastRows: number }
  readonly #bandRows: number

  constructor(f: Function) {
    this.f = f
    const [, , scratch, , tiles, count, lastRows, panel, diagonal, at, ...rest] =
      f.parameters.keys()
    const [address, stride, targetCount, targetRows, first, bandRows] = rest
    this.scratch = scratch
    this.tiles = tiles
    this.count = count
    this.panel = panel
    this.diagonal = diagonal
    this.at = at
    this.first = first
    this.#lastRows = lastRows
    this.#target = { address, stride, count: targetCount, lastRows: targetRows }
    this.#bandRows = bandRows
    this.row = f.local("i32")
    this.firstRow = f.local("i32")
    this.offset = f.local("i32")
    this.rows = f.local("i32")
  }

  #pushRowsOf(row: number, count: number, lastRows: number): void {
    const { f } = this
    f.get(lastRows).i32(tileExtent)
    f.get(row).i32(1).op("i32.add").get(count).op("i32.eq").op("select")
  }

  /** Pushes how many rows a row of tiles of the triangle has. */
  pushRows(row: number): void {
    this.#pushRowsOf(row, this.count, this.#lastRows)
  }

  /** Pushes how many tiles of a triangle lie before a row of them. */
  #pushBefore(row: number): void {
    const { f } = this
    f.get(row).get(row).i32(1).op("i32.add").op("i32.mul").i32(1).op("i32.shr_u")
  }

  /** Pushes the address of a tile of the triangle. */
  pushTile(row: number, column: number): void {
    this.#pushBefore(row)
    this.f.get(column).op("i32.add").i32(tileBytes).op("i32.mul").get(this.tiles).op("i32.add")
  }

  /** Pushes where the band begins in a column of its tiles. */
  pushBand(column: number): void {
    const { f, row } = this
    const { address, stride } = this.#target
    f.get(row).get(stride).op("i32.mul")
    this.#pushBefore(row)
    f.get(stride).op("select")
    f.get(column).op("i32.add").i32(tileBytes).op("i32.mul").get(address).op("i32.add")
    f.get(this.offset).op("i32.add")
  }

  /** Pushes the address of a tile of the panel. */
  pushPanel(at: number): void {
    this.f.get(at).i32(tileBytes).op("i32.mul").get(this.panel).op("i32.add")
  }

  /** Pushes `from` where two numbers are equal, else a bound that binds nothing. */
  pushBoundWhere(a: number, b: number, from: number): void {
    this.f.get(from).i32(unbounded).get(a).get(b).op("i32.eq").op("select")
  }

  /** Pushes the first row of the band where it is on the diagonal, else a bound that binds nothing. */
  pushBoundOnDiagonal(): void {
    const { f } = this
    f.get(this.firstRow).i32(unbounded)
    f.get(this.row).get(this.at).op("i32.eq").get(this.#target.stride).op("i32.eqz")
    f.op("i32.and").op("select")
  }

  /** For every band of the range. */
  overBands(body: () => void): void {
    const { f, row, firstRow, rows } = this
    const [band, bands] = [f.local("i32"), f.local("i32")]
    f.i32(tileExtent).get(this.#bandRows).op("i32.div_u").set(bands)
    const [start, end] = f.parameters.keys()
    f.get(start).set(band)
    loopWhileBelow(f, band, end, 1, () => {
      f.get(band).get(bands).op("i32.div_u").get(this.first).op("i32.add").set(row)
      f.get(band).get(bands).op("i32.rem_u").get(this.#bandRows).op("i32.mul").set(firstRow)
      f.get(firstRow).i32(rowBytes).op("i32.mul").set(this.offset)
      this.#pushRowsOf(row, this.#target.count, this.#target.lastRows)
      f.get(firstRow).op("i32.sub").set(rows)
      f.get(rows).get(this.#bandRows).get(rows).get(this.#bandRows)
      f.op("i32.lt_s").op("select").set(rows)
      f.get(rows).i32(0).op("i32.gt_s").if(body)
    })
  }

  /** For every `i` in the range `[first, last)`; `last` is pushed. */
  over(
    first: number | { readonly local: number },
    pushLast: () => void,
    body: (i: number) => void,
  ) {
    const { f } = this
    const [i, last] = [f.local("i32"), f.local("i32")]
    if (typeof first === "number") f.i32(first)
    else f.get(first.local)
    f.set(i)
    pushLast()
    f.set(last)
    loopWhileBelow(f, i, last, 1, () => body(i))
  }

  /** Fills the rows of the band at an address with zeros. */
  clear(pushAddress: () => void): void {
    pushAddress()
    this.f.i32(0).get(this.rows).i32(rowBytes).op("i32.mul").memoryFill()
  }
}

/** The module with every stage, and with `solve` and `pack` for what one thread does alone. */
export const stageModule = (
  relaxed: boolean,
  memory: WasmEncoder.MemoryImport,
): Uint8Array<ArrayBuffer> => {
  const builder = new WasmEncoder.ModuleBuilder()
  builder.importMemory(memory)
  const code: Code = { builder, relaxed }
  const subtract = subtractFunction(code, upright)
  const subtractTurned = subtractFunction(code, turned)
  const solve = solveFunction(code, upright)
  const pack = packFunction(code)
  const stage = (name: StageName, write: (stage: Stage) => void): void => {
    const f = builder.function(new Array(parameterCount).fill("i32"))
    write(new Stage(f))
    builder.export(name, f)
  }
  const pushStrips = (s: Stage, row: number): void => {
    s.pushRows(row)
    s.f.i32(stripColumns).op("i32.div_u")
  }

  // The transposed tiles to the left of the diagonal: the right side of `updateColumn`.
  stage("packRow", (s) => {
    const [start, end] = s.f.parameters.keys()
    s.over(
      { local: start },
      () => s.f.get(end),
      (p) => {
        s.pushPanel(p)
        s.pushTile(s.at, p)
        pushStrips(s, s.at)
        s.f.i32(tileExtent).i32(rowBytes).i32(8).call(pack)
      },
    )
  })

  // band(at) −= Σ band(p) · tile(at, p)ᵀ over p < at.
  stage("updateColumn", (s) => {
    s.overBands(() => {
      s.over(
        0,
        () => s.f.get(s.at),
        (p) => {
          s.pushBand(s.at)
          s.pushBand(p)
          s.pushPanel(p)
          s.f.get(s.rows)
          s.pushRows(s.at)
          s.f.i32(tileExtent)
          // What lies above the diagonal is not wanted.
          s.pushBoundOnDiagonal()
          s.f.i32(unbounded).i32(0).call(subtract)
        },
      )
    })
  })

  // band(at) = band(at) · tile(at, at)⁻ᵀ.
  stage("solveColumn", (s) => {
    s.overBands(() => {
      s.pushBand(s.at)
      s.f.get(s.diagonal).get(s.rows).i32(0)
      pushStrips(s, s.at)
      s.f.call(solve)
    })
  })

  // The tiles of a column from `first` on: the right side of `invertColumn` and `multiplyRow`.
  stage("packColumn", (s) => {
    const [start, end] = s.f.parameters.keys()
    const p = s.f.local("i32")
    s.over(
      { local: start },
      () => s.f.get(end),
      (i) => {
        s.f.get(s.first).get(i).op("i32.add").set(p)
        s.pushPanel(p)
        s.pushTile(p, s.at)
        pushStrips(s, s.at)
        s.pushRows(p)
        s.f.i32(8).i32(rowBytes).call(pack)
      },
    )
  })

  // band(at) = (Σ band(p) · panel(p) over p ≤ its row) · diagonal; the diagonal comes negated.
  stage("invertColumn", (s) => {
    s.overBands(() => {
      s.clear(() => s.f.get(s.scratch))
      s.over(
        { local: s.first },
        () => s.f.get(s.row).i32(1).op("i32.add"),
        (p) => {
          s.f.get(s.scratch)
          s.pushBand(p)
          s.pushPanel(p)
          s.f.get(s.rows).i32(tileExtent)
          s.pushRows(p)
          s.f.i32(unbounded)
          // The tile on the diagonal is zero to the right of it.
          s.pushBoundWhere(s.row, p, s.firstRow)
          s.f.i32(0).call(subtract)
        },
      )
      s.clear(() => s.pushBand(s.at))
      s.pushBand(s.at)
      s.f.get(s.scratch).get(s.diagonal).get(s.rows).i32(tileExtent).i32(tileExtent)
      s.f.i32(unbounded).i32(unbounded).i32(1).call(subtract)
    })
  })

  // tile(at, j) = −Σ tile(p, j)ᵀ · panel(p) over p ≥ at, for j ≤ at; bands are whole tiles.
  stage("multiplyRow", (s) => {
    s.overBands(() => {
      s.clear(() => s.f.get(s.scratch))
      s.over(
        { local: s.at },
        () => s.f.get(s.count),
        (p) => {
          s.f.get(s.scratch)
          s.pushTile(p, s.row)
          s.pushPanel(p)
          s.f.get(s.rows)
          s.pushRows(s.at)
          s.pushRows(p)
          s.pushBoundWhere(s.row, s.at, s.firstRow)
          s.f.i32(unbounded)
          s.f.get(p).get(s.at).op("i32.eq").call(subtractTurned)
        },
      )
      s.pushTile(s.at, s.row)
      s.f.get(s.scratch).get(s.rows).i32(rowBytes).op("i32.mul").memoryCopy()
    })
  })

  // band(at) = (band(at) − Σ band(p) · panel(p) over p > at) · diagonal; the diagonal comes negated.
  stage("solveBackwards", (s) => {
    const after = s.f.local("i32")
    s.overBands(() => {
      s.f.get(s.at).i32(1).op("i32.add").set(after)
      s.over(
        { local: after },
        () => s.f.get(s.count),
        (p) => {
          s.pushBand(s.at)
          s.pushBand(p)
          s.pushPanel(p)
          s.f.get(s.rows)
          s.pushRows(s.at)
          s.pushRows(p)
          s.f.i32(unbounded).i32(unbounded).i32(0).call(subtract)
        },
      )
      s.f.get(s.scratch)
      s.pushBand(s.at)
      s.f.get(s.rows).i32(rowBytes).op("i32.mul").memoryCopy()
      s.clear(() => s.pushBand(s.at))
      s.pushBand(s.at)
      s.f.get(s.scratch).get(s.diagonal).get(s.rows)
      s.pushRows(s.at)
      s.pushRows(s.at)
      s.f.i32(unbounded).i32(unbounded).i32(1).call(subtract)
    })
  })

  builder.export("solve", solve)
  builder.export("pack", pack)
  return builder.encode()
}
