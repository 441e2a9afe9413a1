/**
 * Every method once more as the papers have it: plain loops over rows of numbers, in `f64`. They are
 * what the fast ones are tested against, and slow.
 *
 * @module
 */
export { admm } from "./admm.ts"
export type { AdmmOptions } from "./admm.ts"
export { magnitude } from "./magnitude.ts"
export { maskedLeastSquares } from "./masked_least_squares.ts"
export { hessianOf, squaredError } from "./matrix.ts"
export type { Rows } from "./matrix.ts"
export { denseStep, sds } from "./sds.ts"
export type { SdsOptions } from "./sds.ts"
export { sparseGpt } from "./sparsegpt.ts"
export type { SparseGptOptions } from "./sparsegpt.ts"
export { wanda } from "./wanda.ts"
