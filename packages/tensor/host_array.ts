import type { DType, HostData } from "./dtype.ts"
import { allocate } from "./dtype.ts"

/**
 * A dense row-major array in host memory: what files are read into and what devices upload from.
 * `bool` values are 0 or 1 in a `Uint32Array`.
 */
export interface HostArray {
  readonly shape: ReadonlyArray<number>
  readonly dtype: DType
  readonly data: HostData
}

/**
 * Makes a {@link HostArray} from plain numbers or from a typed array (which is not copied).
 *
 * @example
 * ```ts
 * const w = HostArray.make([2, 2], [1, 2, 3, 4])
 * ```
 */
export const make = (
  shape: ReadonlyArray<number>,
  values: ReadonlyArray<number> | HostData,
  dtype: DType = "f32",
): HostArray => {
  const size = shape.reduce((product, extent) => product * extent, 1)
  if (values.length !== size) {
    throw new RangeError(`${values.length} values do not fill shape [${shape.join(", ")}]`)
  }
  if (ArrayBuffer.isView(values)) return { shape, dtype, data: values as HostData }
  const data = allocate(dtype, size)
  data.set(values as ReadonlyArray<number>)
  return { shape, dtype, data }
}
