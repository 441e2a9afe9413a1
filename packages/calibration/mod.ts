/**
 * Walk a language model block by block over calibration text.
 *
 * @module
 */
export { squaredInputs } from "./statistic.ts"
export type { Statistic } from "./statistic.ts"
export { walkBlocks } from "./walk_blocks.ts"
export type { BlockParameters, BlockVisit, WalkError, WalkOptions } from "./walk_blocks.ts"
