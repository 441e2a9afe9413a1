import type { Emitter } from "./emitter.ts"

/** Columns of a register tile: two vectors. */
export const tileColumns = 8

/**
 * Rows of a register tile. With fused multiply-add 12 sums, 2 vectors of the right side and one of
 * the left fill the 15 registers that V8 hands out on x86; without it the products need registers
 * too. Measured: fused 6 × 8 57, 4 × 8 53, 4 × 12 27; unfused 4 × 8 38, 6 × 8 24 GFLOP/s.
 */
export const tileRows = (relaxed: boolean): number => (relaxed ? 6 : 4)

/** One register tile over some inner steps. */
export interface Tile {
  readonly rows: number
  readonly columns: number
  /** The left side: a local with its address, bytes between rows and between inner steps. */
  readonly left: { readonly address: number; readonly across: number; readonly along: number }
  /** The right side; its address moves on to the end of the steps. */
  readonly right: { readonly address: number; readonly along: number }
  /** Where the sums lie, and bytes between their rows. */
  readonly sums: { readonly address: number; readonly across: number }
  /** Local with the number of inner steps, at least one. */
  readonly steps: number
}

/** Loads the first `count` lanes at an address. */
const loadLanes = (emitter: Emitter, address: number, offset: number, count: number): void => {
  const { f } = emitter
  f.get(address)
  if (count === 4) f.memory("v128.load", offset)
  else if (count === 1) f.memory("v128.load32_zero", offset)
  else {
    f.memory("v128.load64_zero", offset)
    if (count === 3) {
      const pair = emitter.keep("v128")
      f.get(address)
        .get(pair)
        .memoryLane("v128.load32_lane", 2, offset + 8)
    }
  }
}

/** Stores the first `count` lanes of a vector. */
const storeLanes = (
  emitter: Emitter,
  address: number,
  vector: number,
  offset: number,
  count: number,
): void => {
  const { f } = emitter
  f.get(address).get(vector)
  if (count === 4) f.memory("v128.store", offset)
  else if (count === 1) f.memoryLane("v128.store32_lane", 0, offset)
  else {
    f.memoryLane("v128.store64_lane", 0, offset)
    if (count === 3) {
      f.get(address)
        .get(vector)
        .memoryLane("v128.store32_lane", 2, offset + 8)
    }
  }
}

/** Locals with the finished sums of a tile: a list for each row, four columns in each. */
export type Sums = ReadonlyArray<ReadonlyArray<number>>

/** Where a tile stands among those that add up to the same sums. */
export interface Course {
  /** Pushes whether the sums start as 0; `undefined` where they always do. */
  readonly first: (() => void) | undefined
  /** Pushes whether the sums are complete; `undefined` where they always are. */
  readonly last: (() => void) | undefined
  /** Writes complete sums elsewhere than the place of the sums. */
  readonly finish: ((sums: Sums) => void) | undefined
}

/** Multiplies and adds: the sums stay in registers meanwhile. */
export const multiplyTile = (
  emitter: Emitter,
  { rows, columns, left, right, sums, steps }: Tile,
  { first, last, finish }: Course,
): void => {
  const { f } = emitter
  const halves = columns > 4 ? [0, 1] : [0]
  const places = Array.from({ length: rows }, (_, row) =>
    halves.map((half) => ({
      local: f.local("v128"),
      offset: row * sums.across + 16 * half,
      count: Math.min(4, columns - 4 * half),
    })),
  )
  const clear = (): void => {
    for (const { local } of places.flat()) f.i32x4(0).set(local)
  }
  const load = (): void => {
    for (const { local, offset, count } of places.flat()) {
      loadLanes(emitter, sums.address, offset, count)
      f.set(local)
    }
  }
  if (first === undefined) clear()
  else {
    first()
    f.if(clear, load)
  }
  const [cursor, remaining] = [f.local("i32"), f.local("i32")]
  const [leftVector, ...rightVectors] = [0, ...halves].map(() => f.local("v128"))
  f.get(left.address).set(cursor).get(steps).set(remaining)
  f.loop((next) => {
    for (const [half, vector] of rightVectors.entries()) {
      f.get(right.address)
        .memory("v128.load", 16 * half)
        .set(vector)
    }
    for (const [row, pair] of places.entries()) {
      f.get(cursor)
        .memory("v128.load32_splat", row * left.across)
        .set(leftVector)
      for (const [half, { local }] of pair.entries()) {
        f.get(leftVector).get(rightVectors[half])
        emitter.multiplyAdd(() => f.get(local))
        f.set(local)
      }
    }
    f.get(cursor).i32(left.along).op("i32.add").set(cursor)
    f.get(right.address).i32(right.along).op("i32.add").set(right.address)
    f.get(remaining).i32(1).op("i32.sub").tee(remaining).branchIf(next)
  })
  const store = (): void => {
    for (const { local, offset, count } of places.flat()) {
      storeLanes(emitter, sums.address, local, offset, count)
    }
  }
  const write = (): void => finish?.(places.map((pair) => pair.map(({ local }) => local)))
  if (finish === undefined) store()
  else if (last === undefined) write()
  else {
    last()
    f.if(write, store)
  }
}
