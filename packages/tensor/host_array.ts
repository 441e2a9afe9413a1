import type { DType, HostData } from "./dtype.ts"
import { allocate } from "./dtype.ts"
import { ShapeError } from "./errors.ts"
import { sizeOf } from "./shape.ts"

/**
 * A dense row-major array in host memory: what files are read into and what devices upload from.
 * `bool` values are 0 or 1 in a `Uint32Array`.
 */
export interface HostArray {
  readonly shape: ReadonlyArray<number>
  readonly dtype: DType
  readonly data: HostData
}

const dtypeOf = (values: ReadonlyArray<number> | HostData): DType =>
  values instanceof Int32Array ? "i32" : values instanceof Uint32Array ? "u32" : "f32"

/**
 * Makes a {@link HostArray} from plain numbers or from a typed array (which is not copied). The
 * dtype is `f32` unless it is given or the typed array holds integers. Throws `ShapeError` where
 * the values do not fill the shape.
 *
 * @example
 * ```ts
 * import { HostArray } from "@espalier/tensor"
 *
 * const w = HostArray.make([2, 2], [1, 2, 3, 4])
 * ```
 */
export const make = (
  shape: ReadonlyArray<number>,
  values: ReadonlyArray<number> | HostData,
  dtype: DType = dtypeOf(values),
): HostArray => {
  const size = sizeOf(shape)
  if (values.length !== size) {
    const problem = `${values.length} values do not fill it`
    throw new ShapeError({ operation: "HostArray", shapes: [shape], problem })
  }
  if (ArrayBuffer.isView(values)) return { shape, dtype, data: values }
  const data = allocate(dtype, size)
  data.set(values)
  return { shape, dtype, data }
}

/**
 * An array of zeros, such as an accumulator or a key-value cache before its first use.
 *
 * @example
 * ```ts
 * import { HostArray } from "@espalier/tensor"
 *
 * const cache = HostArray.zeros([512, 32])
 * ```
 */
export const zeros = (shape: ReadonlyArray<number>, dtype: DType = "f32"): HostArray =>
  make(shape, allocate(dtype, sizeOf(shape)), dtype)
