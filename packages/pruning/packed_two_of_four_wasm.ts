import type { WasmCode, WasmKit, WasmStageKit } from "@espalier/tensor"
import { WasmParts } from "@espalier/tensor"
import type { PackedSizes } from "./packed_two_of_four_sizes.ts"

const { constant, float, keep, load, place, smaller, store, vector } = WasmParts

const vectorBytes = 4 * float
/** The kept weights of one group of four inputs for four outputs. */
const groupBytes = 2 * vectorBytes

const operand = { x: 0, values: 1, places: 2, selectors: 3, result: 4 } as const

/**
 * For each byte of places, one for each of four outputs: the bytes of four inputs that `swizzle` puts
 * into the lanes of the outputs. 256 vectors.
 */
export const makeSelectors = (): Uint32Array =>
  Uint32Array.from({ length: 4 * 256 }, (_, i) => {
    const [byte, output] = [i >> 2, i & 3]
    return 0x03020100 + 0x04040404 * ((byte >> (2 * output)) & 3)
  })

/** Rows of x whose sums stay in registers while the weights of four outputs go by. */
const rowsTogether = 4

/**
 * With more rows than that: groups whose inputs, of these rows, stay in the first-level cache while
 * weights go by, and fours of outputs whose weights for them stay in the second while rows go by.
 */
const groupsTogether = 512
const tilesTogether = 16

/** What one run over the groups of some rows and four outputs works on: locals. */
interface Run {
  /** Addresses: the inputs of the first row, the weights, their places, the sum of the first row. */
  readonly x: number
  readonly values: number
  readonly places: number
  readonly to: number
  /** The first group, and the one after the last. */
  readonly first: number
  readonly end: number
}

/**
 * Multiplies some rows of x by the weights of four outputs, which are the lanes: for each group of four
 * inputs a swizzle puts the input that each output kept into its lane, twice.
 */
const multiplyTile = (
  kit: WasmStageKit,
  relaxed: boolean,
  { rows, tiles, groups }: PackedSizes,
  { x, values, places, to, first, end }: Run,
): void => {
  const { f } = kit
  // Selectors are below 16, where both do the same.
  const swizzle = relaxed ? "i8x16.relaxed_swizzle" : "i8x16.swizzle"
  // Enough sums to keep the adders busy, few enough for the registers.
  const sums = Array.from({ length: rows }, () =>
    Array.from({ length: rows > 2 ? 2 : 4 }, () => constant(kit, 0)),
  )
  const advance = (local: number, bytes: number) => f.get(local).i32(bytes).op("i32.add").set(local)
  const multiplyWord = (halves: number): void => {
    f.get(places).memory("i32.load", 0)
    const word = keep(kit, "i32")
    for (let half = 0; half < halves; half++) {
      const inputs = sums.map((_, row) => load(kit, x, (row * groups + half) * vectorBytes))
      for (const which of [0, 1]) {
        // The byte of places, times the 16 bytes of a selector.
        const shift = 16 * half + 8 * which - 4
        f.get(word).i32(Math.abs(shift))
        f.op(shift < 0 ? "i32.shl" : "i32.shr_u")
          .i32(0xff0)
          .op("i32.and")
        f.get(kit.operand(operand.selectors)).op("i32.add").memory("v128.load", 0)
        const selector = keep(kit, "v128")
        const value = load(kit, values, half * groupBytes + which * vectorBytes)
        for (const [row, own] of sums.entries()) {
          const sum = own[(2 * half + which) % own.length]
          f.get(inputs[row]).get(selector).op(swizzle).get(value)
          kit.multiplyAdd(() => f.get(sum))
          f.set(sum)
        }
      }
    }
    advance(x, halves * vectorBytes)
    advance(values, halves * groupBytes)
    advance(places, float)
  }
  const pairs = place(kit, { local: end }, [-1, 1])
  kit.loop({ local: first }, { local: pairs }, 2, () => multiplyWord(2))
  // Only the last groups of all can be an odd number.
  if (groups % 2 === 1)
    f.get(end)
      .i32(groups)
      .op("i32.eq")
      .if(() => multiplyWord(1))
  for (const [row, own] of sums.entries()) {
    const total = own.reduce((a, b) => vector(kit, "f32x4.add", a, b))
    const offset = row * tiles * vectorBytes
    f.get(first).if(() =>
      f
        .get(total)
        .get(load(kit, to, offset))
        .op("f32x4.add")
        .set(total),
    )
    store(kit, to, total, offset)
  }
}

const write = (kit: WasmStageKit, relaxed: boolean, sizes: PackedSizes): void => {
  const { rows, tiles, groups } = sizes
  const words = Math.ceil(groups / 2)
  const depth = rows > rowsTogether ? groupsTogether : groups
  const whole = rows - (rows % rowsTogether)
  kit.loop(0, groups, depth, (first) => {
    const next = place(kit, { local: first }, [depth, 1])
    const end = smaller(kit, { local: next }, groups)
    const at = (index: number, ...terms: ReadonlyArray<readonly [number, number]>) =>
      place(
        kit,
        { local: kit.operand(index) },
        ...terms.map(([local, step]) => [{ local }, step] as const),
      )
    kit.loop({ local: kit.start }, { local: kit.end }, tilesTogether, (firstTile) => {
      const nextTile = place(kit, { local: firstTile }, [tilesTogether, 1])
      const endTile = smaller(kit, { local: nextTile }, { local: kit.end })
      const pass = (row: number, count: number): void => {
        kit.loop({ local: firstTile }, { local: endTile }, 1, (tile) => {
          const x = at(operand.x, [row, groups * vectorBytes], [first, vectorBytes])
          const values = at(operand.values, [tile, groups * groupBytes], [first, groupBytes])
          // Two groups share a word, and `first` is even.
          const places = at(operand.places, [tile, words * float], [first, float / 2])
          const to = at(operand.result, [row, tiles * vectorBytes], [tile, vectorBytes])
          const run = { x, values, places, to, first, end }
          multiplyTile(kit, relaxed, { ...sizes, rows: count }, run)
        })
      }
      kit.loop(0, whole, rowsTogether, (row) => pass(row, rowsTogether))
      if (whole < rows) pass(place(kit, whole), rows - whole)
    })
  })
}

/** The product of a packed weight, from x, values, places and {@link makeSelectors}. */
export const packedWasm = ({ fusedMultiplyAdd }: WasmKit, sizes: PackedSizes): WasmCode => ({
  stages: [
    {
      name: "two of four",
      extent: sizes.tiles,
      grain: 1,
      work: sizes.tiles * sizes.groups * (10 + 5 * sizes.rows),
      write: (kit) => write(kit, fusedMultiplyAdd, sizes),
    },
  ],
})
