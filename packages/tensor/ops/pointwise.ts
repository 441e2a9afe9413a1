/** Everything elementwise. */
import type { DType } from "../dtype.ts"
import { binaryRows } from "./binary.ts"
import { bitcastRow, castRow, stopGradientRow } from "./conversion.ts"
import type { Operation } from "./operation.ts"
import type { None } from "./pointwise_rules.ts"
import { unaryRows } from "./unary.ts"
import { whereRow } from "./where.ts"

export * from "./binary.ts"
export * from "./conversion.ts"
export * from "./unary.ts"
export * from "./where.ts"

export const pointwiseRows: ReadonlyArray<Operation<None> | Operation<{ readonly dtype: DType }>> =
  [...unaryRows, ...binaryRows, whereRow, castRow, bitcastRow, stopGradientRow]
