import { Schema } from "effect"

/**
 * Element types. `f64` exists on the CPU readers only; `bool` is stored as one `u32` (0 or 1).
 */
export const DType = Schema.Literals(["f32", "f16", "f64", "i32", "u32", "bool"])
export type DType = typeof DType.Type

/** The typed array that holds values of a dtype on the host. `f16` travels as `f32` values. */
export type HostData = Float32Array | Float64Array | Int32Array | Uint32Array

/** Bytes of one element in device memory. */
export const byteSize = (dtype: DType): number => (dtype === "f64" ? 8 : dtype === "f16" ? 2 : 4)

/** True for `f16`, `f32` and `f64`. */
export const isFloat = (dtype: DType): boolean =>
  dtype === "f32" || dtype === "f16" || dtype === "f64"

/** Allocates host memory that holds `length` values of `dtype`. */
export const allocate = (dtype: DType, length: number): HostData => {
  switch (dtype) {
    case "f64":
      return new Float64Array(length)
    case "i32":
      return new Int32Array(length)
    case "u32":
    case "bool":
      return new Uint32Array(length)
    default:
      return new Float32Array(length)
  }
}
