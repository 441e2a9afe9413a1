import { bytesOfArray } from "./bytes.ts"
import { brainsOfFloats, floatsOfBrains, floatsOfHalves, halvesOfFloats } from "./float16.ts"

/** How a file keeps the numbers of a weight; in memory they are `f32`. */
export type StoredDType = "F32" | "F16" | "BF16"

/** Every dtype of the safetensors format that fills whole bytes, with its bytes an element. */
export const bytesOfDType: ReadonlyMap<string, number> = new Map([
  ...["BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"].map((name) => [name, 1] as const),
  ...["U16", "I16", "F16", "BF16"].map((name) => [name, 2] as const),
  ...["U32", "I32", "F32"].map((name) => [name, 4] as const),
  ...["U64", "I64", "F64"].map((name) => [name, 8] as const),
])

/** The dtypes that become `f32` exactly. */
export const storedDTypes: ReadonlyArray<StoredDType> = ["F32", "F16", "BF16"]

/** True where a dtype becomes `f32` exactly. */
export const isStoredDType = (dtype: string): dtype is StoredDType =>
  storedDTypes.some((known) => known === dtype)

/** Fills `floats` from as many stored numbers; `bytes` may lie anywhere in a buffer. Exact. */
export const decodeFloats = (dtype: StoredDType, bytes: Uint8Array, floats: Float32Array): void => {
  if (dtype === "F32") {
    bytesOfArray(floats).set(bytes)
    return
  }
  const aligned = bytes.byteOffset % 2 === 0
  const words = aligned
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, floats.length)
    : new Uint16Array(Uint8Array.from(bytes).buffer)
  if (dtype === "F16") floatsOfHalves(words, floats)
  else floatsOfBrains(words, floats)
}

/** The stored bytes of numbers, each rounded to the nearest, ties to even. */
export const encodeFloats = (dtype: StoredDType, floats: Float32Array): Uint8Array => {
  if (dtype === "F32") return bytesOfArray(floats)
  const words = new Uint16Array(floats.length)
  if (dtype === "F16") halvesOfFloats(floats, words)
  else brainsOfFloats(floats, words)
  return bytesOfArray(words)
}
