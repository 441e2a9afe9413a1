import { Result, Schema } from "effect"
import { decodeFloats, encodeFloats } from "../stored_dtype.ts"
import type { StoredDType } from "../stored_dtype.ts"

/**
 * A weight, or a number that would stand for many of them, has no place in the type that its tensor is
 * to be kept in: it is too large, or it is no finite number.
 */
export class UnstorableWeight extends Schema.TaggedError<UnstorableWeight>()("UnstorableWeight", {
  tensor: Schema.String,
  /** `F16`, `Q4_0` … */
  dtype: Schema.String,
  quantity: Schema.Literals(["weight", "scale", "minimum"]),
  value: Schema.Number,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.tensor} has a ${this.quantity} of ${this.value}, which ${this.dtype} cannot hold. ${this.hint}`
  }
}

const overflow = "Keep the tensor in F32 or BF16."
const notFinite = "The weights are damaged: train or convert the model again."

export const unstorable = (
  tensor: string,
  dtype: string,
  quantity: UnstorableWeight["quantity"],
  value: number,
): UnstorableWeight =>
  new UnstorableWeight({
    tensor,
    dtype,
    quantity,
    value,
    hint: Number.isFinite(value) ? overflow : notFinite,
  })

/**
 * Numbers as a file keeps them, each rounded to the nearest, ties to even.
 *
 * Fails with {@link UnstorableWeight} where a finite number becomes infinite, and where an F16 tensor
 * would hold one that is not finite.
 */
export const storeFloats = (
  tensor: string,
  dtype: StoredDType,
  quantity: UnstorableWeight["quantity"],
  values: Float32Array,
): Result.Result<Uint8Array, UnstorableWeight> => {
  const bytes = encodeFloats(dtype, values)
  if (dtype === "F32") return Result.succeed(bytes)
  const stored = new Float32Array(values.length)
  decodeFloats(dtype, bytes, stored)
  const lost = values.find(
    (value, i) => !Number.isFinite(stored[i]) && (dtype === "F16" || Number.isFinite(value)),
  )
  return lost === undefined
    ? Result.succeed(bytes)
    : Result.fail(unstorable(tensor, dtype, quantity, lost))
}
