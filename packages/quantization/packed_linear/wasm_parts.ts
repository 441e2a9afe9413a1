import type { WasmStageKit } from "@espalier/tensor"
import { WasmParts } from "@espalier/tensor"
import type { PackedSizes } from "./sizes.ts"

const { float, keep, splat, store } = WasmParts

/** The operands of the product, and its result. */
export const operand = { x: 0, codes: 1, scales: 2, zeros: 3, result: 4 } as const

/** Adds to an address. */
export const advance = (kit: WasmStageKit, local: number, bytes: number): void => {
  kit.f.get(local).i32(bytes).op("i32.add").set(local)
}

/** Codes in half a word. */
export const codesOfHalf = ({ bits }: Pick<PackedSizes, "bits">): number => 16 / bits

/** What is constant throughout a function, in locals. */
export interface Constants {
  /** The codes of half a word, one after the other. */
  readonly masks: ReadonlyArray<number>
  /** For `swizzle`: each byte of a word to a lane of its own. */
  readonly spread: number
}

export const makeConstants = (kit: WasmStageKit, sizes: PackedSizes): Constants => {
  const keepWords = (...words: readonly [number, number, number, number]) => {
    kit.f.i32x4(...words)
    return keep(kit, "v128")
  }
  const { bits } = sizes
  const masks = Array.from({ length: codesOfHalf(sizes) }, (_, i) => {
    const mask = (2 ** bits - 1) << (bits * i)
    return keepWords(mask, mask, mask, mask)
  })
  return { masks, spread: keepWords(-256, -255, -254, -253) }
}

/** The zero points of four outputs, `f32` in lanes. */
export const loadZeros = (kit: WasmStageKit, { spread }: Constants, address: number): number => {
  kit.f.get(address).memory("v128.load32_zero").get(spread)
  kit.f.op("i8x16.swizzle").op("f32x4.convert_i32x4_s")
  return keep(kit, "v128")
}

/** The `f32` at four addresses, in lanes. */
export const gather = (kit: WasmStageKit, addresses: ReadonlyArray<number>): number => {
  const four = splat(kit, addresses[0])
  for (const [lane, address] of addresses.entries())
    if (lane > 0) kit.f.get(address).get(four).memoryLane("v128.load32_lane", lane).set(four)
  return four
}

/** Stores the first `count` lanes. */
export const storeLanes = (
  kit: WasmStageKit,
  to: number,
  value: number,
  { offset, count }: { readonly offset: number; readonly count: number },
): void => {
  if (count === 4) return store(kit, to, value, offset)
  for (let lane = 0; lane < count; lane++) {
    kit.f
      .get(to)
      .get(value)
      .memoryLane("v128.store32_lane", lane, offset + lane * float)
  }
}
