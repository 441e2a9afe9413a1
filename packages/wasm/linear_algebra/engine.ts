import type { LoadedKernel, StageFunction } from "../kernels.ts"
import { Pool } from "../memory.ts"
import { Threads } from "../threads.ts"
import type { StartWorker } from "../workers.ts"
import type { StageName, StageOperands, Target } from "./stages.ts"
import { operandsOf, stageModule, stageNames } from "./stages.ts"
import { rowBytes, stripBytes, stripColumns, tileBytes, tileExtent } from "./tile.ts"
import { RightSides } from "./right_sides.ts"
import { tilesAcross, Triangle } from "./triangle.ts"

const pageBytes = 65536
const addressSpace = 2 ** 32

/** What an engine is made with. */
export interface EngineOptions {
  /** The calling thread included. */
  readonly threads: number
  /** How workers are started, where there are any. */
  readonly startWorker: StartWorker | undefined
  /** Fused multiply-add. */
  readonly relaxed: boolean
  /** Where it takes its memory from, for as long as it works on a matrix; its own by default. */
  readonly pool?: Pool | undefined
}

/** The memory that an engine shares with others has no room for a matrix. */
export class NoRoom extends Error {}

/** `(x, packed, rows, first, last)` and `(packed, source, strips, steps, across, along)`. */
type TileFunction = (...parameters: ReadonlyArray<number>) => void

const tilesOfTriangle = (count: number): number => (count * (count + 1)) / 2

/** Bytes for a triangle, right sides, one panel, two tiles, and a tile for each thread. */
const bytesFor = (size: number, sides: number, threads: number): number => {
  const count = tilesAcross(size)
  const tiles = tilesOfTriangle(count) + count * (1 + tilesAcross(sides)) + 2 + threads
  return tiles * tileBytes
}

/** Whether a matrix, with right sides of systems, fits the memory of an engine. */
export const fits = (size: number, sides: number, threads: number): boolean =>
  bytesFor(size, sides, threads) <= addressSpace - pageBytes

/** Fewer tiles than these are not worth a second thread. */
const leastShared = 2

/** Stages whose parts are whole tiles. */
const inTiles: ReadonlySet<StageName> = new Set(["packRow", "packColumn", "multiplyRow"])

/** A band on several threads: small enough that the last ones end at about the same time. */
const sharedBandRows = tileExtent / 3

/** A matrix in the memory of an engine, and right sides of systems with it. */
export interface Work {
  readonly triangle: Triangle
  readonly rightSides: RightSides
}

/** On what a stage is run: all rows of tiles of the triangle, unless said otherwise. */
export interface Part {
  readonly first?: number
  readonly extent?: number
  readonly target?: Target
}

/** Memory, code and threads for one matrix at a time. */
export class Engine {
  readonly #pool: Pool
  readonly #kernel: LoadedKernel
  readonly #solve: TileFunction
  readonly #pack: TileFunction
  readonly #options: EngineOptions
  readonly #shared: boolean
  #threads: Threads | undefined
  #triangle: Triangle | undefined
  #region: number | undefined
  #scratch = 0

  constructor(options: EngineOptions) {
    this.#options = options
    const shared = options.threads > 1 && options.startWorker !== undefined
    this.#pool = options.pool ?? new Pool({ shared, limitBytes: addressSpace, poison: false })
    const { memory, limitBytes } = this.#pool
    this.#shared = shared && this.#pool.shared
    const maximumPages = limitBytes / pageBytes
    const pages = { minimumPages: 1, maximumPages, shared: this.#pool.shared }
    const bytes = stageModule(options.relaxed, { module: "env", name: "memory", ...pages })
    const module = new WebAssembly.Module(bytes)
    const { exports } = new WebAssembly.Instance(module, { env: { memory } })
    const functions = stageNames.map((name) => exports[name] as StageFunction)
    const code = { bytes, stages: [], scratchBytes: tileBytes, sharedBytes: 0 }
    this.#kernel = { id: 0, key: "linear algebra", code, module, functions }
    this.#solve = exports["solve"] as TileFunction
    this.#pack = exports["pack"] as TileFunction
  }

  /** Memory that nobody else can have until the engine is gone. */
  get ownBytes(): number {
    return this.#options.pool === undefined ? this.#pool.memory.buffer.byteLength : 0
  }

  /**
   * Makes room for a matrix and right sides of systems with it: what was there is gone. Throws
   * {@link NoRoom}.
   */
  prepare(size: number, sides = 0): Work {
    this.release()
    this.#region = this.#pool.allocate(bytesFor(size, sides, this.#options.threads))
    if (this.#region === undefined) throw new NoRoom()
    const { memory } = this.#pool
    const count = tilesAcross(size)
    const address = this.#panel + count * tileBytes
    const triangle = new Triangle(size, address, memory)
    const after = address + tilesOfTriangle(count) * tileBytes
    const rightSides = new RightSides(size, sides, after, memory)
    this.#scratch = after + count * rightSides.count * tileBytes
    this.#triangle = triangle
    if (this.#shared && count > leastShared && this.#threads === undefined) {
      const { threads, startWorker } = this.#options
      this.#threads = new Threads(threads, memory, startWorker!)
    }
    this.#threads?.check()
    return { triangle, rightSides }
  }

  /** Address of the packed tile on the diagonal. */
  get diagonal(): number {
    return this.#region!
  }

  /** Address of a tile for whatever is needed. */
  get spare(): number {
    return this.diagonal + tileBytes
  }

  get #panel(): number {
    return this.spare + tileBytes
  }

  /** Numbers from an address on. */
  values(address: number, length: number): Float64Array {
    return new Float64Array(this.#pool.memory.buffer, address, length)
  }

  /** Solves rows at `address` with the packed diagonal; see `solveFunction`. */
  solve(address: number, rows: number, firstStrip: number, lastStrip: number): void {
    this.#solve(address, this.diagonal, rows, firstStrip, lastStrip)
  }

  /** Packs the transpose of a tile into the place of the diagonal. */
  packTransposed(source: number, extent: number): void {
    this.#pack(this.diagonal, source, extent / stripColumns, extent, rowBytes, 8)
  }

  /** One strip of the packed diagonal. */
  diagonalStrip(strip: number): Float64Array {
    return this.values(this.diagonal + strip * stripBytes, stripBytes / 8)
  }

  /** Runs a stage on `extent` tiles, or on as many rows of tiles, from `first` on. */
  run(name: StageName, at: number, { first = 0, extent, target }: Part): void {
    const triangle = this.#triangle!
    const whole = target ?? triangle
    const tiles = extent ?? whole.count - first
    if (tiles <= 0) return
    const threads = tiles >= leastShared ? this.#threads : undefined
    const cut = threads !== undefined && !inTiles.has(name)
    const bandRows = cut ? sharedBandRows : tileExtent
    const operands: StageOperands = {
      tiles: triangle.address,
      count: triangle.count,
      lastRows: triangle.lastRows,
      panel: this.#panel,
      diagonal: this.diagonal,
      at,
      target: whole,
      first,
      bandRows,
    }
    const bases = operandsOf(operands)
    const bands = tiles * (tileExtent / bandRows)
    const index = stageNames.indexOf(name)
    if (threads === undefined) {
      this.#kernel.functions[index](0, bands, this.#scratch, 0, ...bases)
      return
    }
    const stage = { extent: bands, grain: 1, work: 0, partsPerThread: 64 }
    const stages = stageNames.map((each) => ({ ...stage, name: each }))
    const kernel = { ...this.#kernel, code: { ...this.#kernel.code, stages } }
    threads.run(kernel, index, this.#scratch, tileBytes, 0, bases)
  }

  /** Gives back the room that was made. */
  release(): void {
    if (this.#region !== undefined) this.#pool.free(this.#region)
    this.#region = undefined
  }

  /** Ends the workers. Memory of its own goes with the engine. */
  async stop(): Promise<void> {
    this.release()
    await this.#threads?.stop()
    this.#threads = undefined
  }
}
