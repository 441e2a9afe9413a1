import type { StoredDType } from "../stored_dtype.ts"
import type { Arrangement } from "./arrangement.ts"

/**
 * A parameter that is still in its file: its shape in memory, and all that is needed to read it. A
 * leaf of the trees that a checkpoint's model has for parameters; programs take their shapes from it
 * like from any array.
 */
export interface StoredArray {
  /** The shape in memory, which the file may have in another arrangement. */
  readonly shape: ReadonlyArray<number>
  /** In memory. */
  readonly dtype: "f32"
  /** The name of its tensor in the files. */
  readonly name: string
  /** How the file keeps its numbers. */
  readonly storedDtype: StoredDType
  readonly arrangement: Arrangement
}

/** Where a tensor lies in a checkpoint. */
export interface StoredTensor {
  readonly name: string
  /** The file, without its folder. */
  readonly file: string
  /** As the file calls it: `F32`, `BF16`, `I64` … */
  readonly dtype: string
  /** The shape in the file. */
  readonly shape: ReadonlyArray<number>
  /** Its bytes, counted from the beginning of the file. */
  readonly from: number
  readonly to: number
}
