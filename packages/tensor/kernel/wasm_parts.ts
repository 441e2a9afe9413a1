import type { WasmStageKit } from "./wasm_abi.ts"

/** Phrases of which hand-written CPU kernels are made: each leaves its result in a fresh local. */

/** Bytes of an `f32`. */
export const float = 4

/** A factor of an address: a number known now, or an `i32` local. */
type Factor = number | { readonly local: number }

const pushFactor = (kit: WasmStageKit, factor: Factor): void => {
  if (typeof factor === "number") kit.f.i32(factor)
  else kit.f.get(factor.local)
}

/** `base + Σ index · step` in a fresh local. */
export const place = (
  kit: WasmStageKit,
  base: Factor,
  ...terms: ReadonlyArray<readonly [index: Factor, step: number]>
): number => {
  const { f } = kit
  pushFactor(kit, base)
  for (const [index, step] of terms) {
    pushFactor(kit, index)
    f.i32(step).op("i32.mul").op("i32.add")
  }
  return keep(kit, "i32")
}

/** What is on the stack, in a fresh local. */
export const keep = (kit: WasmStageKit, type: "i32" | "v128"): number => {
  const local = kit.f.local(type)
  kit.f.set(local)
  return local
}

/** The smaller of two `i32` in a fresh local. */
export const smaller = (kit: WasmStageKit, a: Factor, b: Factor): number => {
  for (const factor of [a, b, a, b]) pushFactor(kit, factor)
  kit.f.op("i32.lt_s").op("select")
  return keep(kit, "i32")
}

/** The larger of two `i32` in a fresh local. */
export const larger = (kit: WasmStageKit, a: Factor, b: Factor): number => {
  for (const factor of [a, b, a, b]) pushFactor(kit, factor)
  kit.f.op("i32.gt_s").op("select")
  return keep(kit, "i32")
}

/** Applies a vector instruction to locals; the result in a fresh one. */
export const vector = (
  kit: WasmStageKit,
  name: Parameters<WasmStageKit["f"]["op"]>[0],
  ...operands: ReadonlyArray<number>
): number => {
  for (const operand of operands) kit.f.get(operand)
  kit.f.op(name)
  return keep(kit, "v128")
}

export const constant = (kit: WasmStageKit, value: number): number => {
  kit.f.f32x4(value)
  return keep(kit, "v128")
}

export const load = (kit: WasmStageKit, address: number, offset = 0): number => {
  kit.f.get(address).memory("v128.load", offset)
  return keep(kit, "v128")
}

export const splat = (kit: WasmStageKit, address: number, offset = 0): number => {
  kit.f.get(address).memory("v128.load32_splat", offset)
  return keep(kit, "v128")
}

export const store = (kit: WasmStageKit, address: number, value: number, offset = 0): void => {
  kit.f.get(address).get(value).memory("v128.store", offset)
}

/** Combines the four lanes into all of them. */
export const acrossLanes = (
  kit: WasmStageKit,
  name: "f32x4.add" | "f32x4.pmax",
  local: number,
): number => {
  const { f } = kit
  f.get(local).get(local).get(local).shuffle(2, 3, 0, 1).op(name)
  const halves = keep(kit, "v128")
  f.get(halves).get(halves).get(halves).shuffle(1, 0, 3, 2).op(name)
  return keep(kit, "v128")
}

/** Fills `bytes` at an address with zeros. */
export const clear = (kit: WasmStageKit, address: number, bytes: number): void => {
  kit.f.get(address).i32(0).i32(bytes).memoryFill()
}
