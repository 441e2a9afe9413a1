/**
 * The methods that work layer by layer once more as the papers have them: plain loops over rows of
 * numbers, in `f64`. They are what the fast ones are tested against, and slow.
 *
 * @module
 */
export { gptq } from "./gptq.ts"
export type { GptqOptions, GptqResult } from "./gptq.ts"
export { hqq } from "./hqq.ts"
export type { HqqOptions } from "./hqq.ts"
export { hessianOf, squaredError } from "./matrix.ts"
export type { Rows } from "./matrix.ts"
export { rtn } from "./rtn.ts"
