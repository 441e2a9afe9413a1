import type { WasmEncoder } from "@espalier/tensor"

/**
 * Square tiles of `f64`, row-major, and the register tiles that multiply them. The left side of a
 * product is read where it lies, the right side from a tile that was packed: strips of four columns,
 * each with its four numbers of one inner step next to each other.
 */

/** Rows and columns of a tile: three of them fit the second cache of current processors. */
export const tileExtent = 144

/** Bytes between the rows of a tile. */
export const rowBytes: number = 8 * tileExtent

export const tileBytes: number = rowBytes * tileExtent

/** Columns of a register tile, and of a strip of a packed tile: two vectors. */
export const stripColumns = 4

/** Bytes of one inner step of a strip. */
export const stepBytes: number = 8 * stripColumns

export const stripBytes: number = stepBytes * tileExtent

/**
 * Rows of a register tile. With fused multiply-add 12 sums, 2 vectors of the right side and one of
 * the left fill the 15 registers that V8 hands out on x86; without it the products need some too.
 */
export const tileRows = (relaxed: boolean): number => (relaxed ? 6 : 4)

/** Writes code for one engine. */
export interface Code {
  readonly builder: WasmEncoder.ModuleBuilder
  /** `f64x2.relaxed_nmadd` is there. */
  readonly relaxed: boolean
}

type Function = WasmEncoder.FunctionBuilder

/** `for (; variable < bound; variable += step)` over `i32` locals. */
export const loopWhileBelow = (
  f: Function,
  variable: number,
  bound: number,
  step: number,
  body: () => void,
): void => {
  f.block((done) => {
    f.loop((next) => {
      f.get(variable).get(bound).op("i32.ge_s").branchIf(done)
      body()
      f.get(variable).i32(step).op("i32.add").set(variable)
      f.branch(next)
    })
  })
}

/** Adds a constant to an `i32` local. */
export const advance = (f: Function, local: number, by: number): void => {
  f.get(local).i32(by).op("i32.add").set(local)
}

/** Pushes the smaller of a local and (another local + a constant). */
export const pushLeast = (f: Function, a: number, b: number, plus: number): void => {
  const sum = f.local("i32")
  f.get(b).i32(plus).op("i32.add").set(sum)
  f.get(a).get(sum).get(a).get(sum).op("i32.lt_s").op("select")
}

/** `sum −= left · right`, all locals. */
export const subtractProduct = (
  f: Function,
  relaxed: boolean,
  sum: number,
  left: number,
  right: number,
): void => {
  if (relaxed) f.get(left).get(right).get(sum).op("f64x2.relaxed_nmadd")
  else f.get(sum).get(left).get(right).op("f64x2.mul").op("f64x2.sub")
  f.set(sum)
}

/** A register tile: for each row a pair of locals with two columns each. */
export type Sums = ReadonlyArray<readonly [number, number]>

export const makeSums = (f: Function, rows: number): Sums =>
  Array.from({ length: rows }, () => [f.local("v128"), f.local("v128")] as const)

const eachSum = (sums: Sums, use: (local: number, offset: number) => void): void => {
  for (const [row, pair] of sums.entries()) {
    for (const [half, local] of pair.entries()) use(local, row * rowBytes + 16 * half)
  }
}

export const loadSums = (f: Function, address: number, sums: Sums): void =>
  eachSum(sums, (local, offset) => f.get(address).memory("v128.load", offset).set(local))

export const storeSums = (f: Function, address: number, sums: Sums): void =>
  eachSum(sums, (local, offset) => f.get(address).get(local).memory("v128.store", offset))

/** How the left side of a product lies in its tile. */
export interface LeftSide {
  /** Bytes from row to row. */
  readonly across: number
  /** Bytes from one inner step to the next. */
  readonly along: number
}

/** Rows of the tile are rows of the left side. */
export const upright: LeftSide = { across: rowBytes, along: 8 }

/** Columns of the tile are rows of the left side. */
export const turned: LeftSide = { across: 8, along: rowBytes }

/**
 * `sums −= left · right` over the inner steps counted by `steps`, which ends at 0. The addresses
 * `left` and `right` move along.
 */
export const subtractProducts = (
  f: Function,
  relaxed: boolean,
  sums: Sums,
  { across, along }: LeftSide,
  [left, right, steps]: readonly [number, number, number],
): void => {
  const [factor, low, high] = [f.local("v128"), f.local("v128"), f.local("v128")]
  f.block((none) => {
    f.get(steps).i32(0).op("i32.le_s").branchIf(none)
    f.loop((next) => {
      f.get(right).memory("v128.load", 0).set(low)
      f.get(right).memory("v128.load", 16).set(high)
      for (const [row, [first, second]] of sums.entries()) {
        f.get(left)
          .memory("v128.load64_splat", row * across)
          .set(factor)
        subtractProduct(f, relaxed, first, factor, low)
        subtractProduct(f, relaxed, second, factor, high)
      }
      advance(f, left, along)
      advance(f, right, stepBytes)
      f.get(steps).i32(1).op("i32.sub").tee(steps).branchIf(next)
    })
  })
}
