/**
 * Walk a language model block by block over calibration text, and the column by column engine that
 * pruning and quantisation share.
 *
 * @module
 */
export { makeMemoryStore } from "./block_store.ts"
export type { BlockParameters, BlockStore } from "./block_store.ts"
export { changeLinears } from "./change_linears.ts"
export type { BlockProblem, ChangeOptions, LinearMethod, LinearProblem } from "./change_linears.ts"
export { makeCheckpointStore } from "./checkpoint_store.ts"
export { clearReports, type LinearReport } from "./linear_report.ts"
export {
  CalibrationMissing,
  checkActivations,
  checkParameters,
  NonFiniteValues,
  TokenOutOfRange,
} from "./errors.ts"
export { makeGatherer } from "./gatherer.ts"
export type { Gatherer } from "./gatherer.ts"
export { diagonalOf, fullHessian, hessianOfInputs, readHessian } from "./hessian.ts"
export type { Hessian } from "./hessian.ts"
export {
  dampedHessian,
  deadInputs,
  HessianNotInvertible,
  inverseFactor,
  meanDiagonal,
  withDamping,
} from "./inverse_factor.ts"
export { layerError } from "./layer_error.ts"
export { readLayerInputs } from "./layer_inputs.ts"
export type { LayerInputs, MethodError } from "./layer_inputs.ts"
export { maskedLeastSquares } from "./masked_least_squares.ts"
export type { MaskedLeastSquaresOptions } from "./masked_least_squares.ts"
export { makePrograms } from "./programs.ts"
export type { Programs } from "./programs.ts"
export { sweepBlock } from "./columns/column_block.ts"
export type { ColumnGrid, GroupRule, SweptBlock } from "./columns/column_block.ts"
export { sweepColumns } from "./columns/sweep_columns.ts"
export type {
  ColumnRule,
  GridValues,
  QuantisationGrid,
  SweepOptions,
  Swept,
} from "./columns/sweep_columns.ts"
export type { ScaleInputs, ScaleProblem } from "./scale_inputs.ts"
export { nothing, squaredInputs } from "./statistic.ts"
export type { Accumulator, Accumulators, Statistic } from "./statistic.ts"
export { walkBlocks, walkStore } from "./walk_blocks.ts"
export type { BlockBatch, BlockInputs, BlockVisit, WalkError, WalkOptions } from "./walk_blocks.ts"
