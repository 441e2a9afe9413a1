import type { DType } from "../dtype.ts"
import { isFloat } from "../dtype.ts"
import { DTypeError, ShapeError } from "../errors.ts"
import { sameShape } from "../shape.ts"
import type { TensorType } from "../tensor.ts"

/** Attributes of a row that needs none. */
export type None = Record<string, never>
export const none: None = {}

/** Groups of dtypes that rows ask for. */
export type Kind = "float" | "signed" | "integer" | "number" | "bool" | "bits"
export const kinds: Record<Kind, ReadonlyArray<DType>> = {
  float: ["f32", "f16", "f64"],
  signed: ["f32", "f16", "f64", "i32"],
  integer: ["i32", "u32"],
  number: ["f32", "f16", "f64", "i32", "u32"],
  bool: ["bool"],
  bits: ["i32", "u32", "bool"],
}

export const requireKind = (
  operation: string,
  kind: Kind,
  inputs: ReadonlyArray<TensorType>,
): void => {
  if (inputs.every((input) => kinds[kind].includes(input.dtype))) return
  const dtypes = inputs.map((input) => input.dtype)
  throw new DTypeError({ operation, dtypes, problem: `needs ${kinds[kind].join(", ")}` })
}

export const requireSame = (operation: string, inputs: ReadonlyArray<TensorType>): void => {
  const [first, ...rest] = inputs
  if (!rest.every((input) => sameShape(input.shape, first.shape))) {
    const shapes = inputs.map((input) => input.shape)
    throw new ShapeError({ operation, shapes, problem: "shapes must be equal" })
  }
  if (!rest.every((input) => input.dtype === first.dtype)) {
    const dtypes = inputs.map((input) => input.dtype)
    throw new DTypeError({ operation, dtypes, problem: "dtypes must be equal; use cast" })
  }
}

/** What the random tests draw for each dtype unless a row says otherwise. */
export const domains = (
  dtype: DType,
  float: readonly [number, number],
): readonly [number, number] =>
  isFloat(dtype) ? float : dtype === "bool" ? [0, 1] : dtype === "u32" ? [0, 9] : [-9, 9]

/** The dtypes of a kind that every device has. */
export const tested = (kind: Kind): ReadonlyArray<DType> =>
  kinds[kind].filter((dtype) => dtype !== "f16" && dtype !== "f64")
