import type { WasmCode, WasmKit, WasmStageKit } from "@espalier/tensor"
import { WasmParts } from "@espalier/tensor"
import type { PackedSizes } from "./packed_two_of_four_sizes.ts"

const { constant, float, keep, load, place, store, vector } = WasmParts

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
 * Multiplies some rows of x by the weights of four outputs, which are the lanes: for each group of four
 * inputs a swizzle puts the input that each output kept into its lane, twice. `x`, `values` and
 * `places` are locals with addresses; `to` is where the sums go.
 */
const multiplyTile = (
  kit: WasmStageKit,
  relaxed: boolean,
  { rows, tiles, groups }: PackedSizes,
  [x, values, places]: ReadonlyArray<number>,
  to: number,
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
  kit.loop(0, Math.floor(groups / 2), 1, () => multiplyWord(2))
  if (groups % 2 === 1) multiplyWord(1)
  for (const [row, own] of sums.entries()) {
    const total = own.reduce((a, b) => vector(kit, "f32x4.add", a, b))
    store(kit, to, total, row * tiles * vectorBytes)
  }
}

const write = (kit: WasmStageKit, relaxed: boolean, sizes: PackedSizes): void => {
  const { rows, tiles, groups } = sizes
  const words = Math.ceil(groups / 2)
  kit.loop({ local: kit.start }, { local: kit.end }, 1, (tile) => {
    const at = (index: number, ...terms: Parameters<typeof place>[2][]) =>
      place(kit, { local: kit.operand(index) }, ...terms)
    const some = (first: number, count: number): void => {
      const from = [
        at(operand.x, [{ local: first }, groups * vectorBytes]),
        at(operand.values, [{ local: tile }, groups * groupBytes]),
        at(operand.places, [{ local: tile }, words * float]),
      ]
      const row = [{ local: first }, tiles * vectorBytes] as const
      const to = at(operand.result, row, [{ local: tile }, vectorBytes])
      multiplyTile(kit, relaxed, { ...sizes, rows: count }, from, to)
    }
    const whole = rows - (rows % rowsTogether)
    kit.loop(0, whole, rowsTogether, (first) => some(first, rowsTogether))
    if (whole < rows) some(place(kit, whole), rows - whole)
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
