/**
 * Pruning of language models after training: magnitude, Wanda, SparseGPT, SDS, masked least squares,
 * ADMM and block-wise reconstruction, unstructured and N:M.
 *
 * @module
 */
export { admm } from "./admm.ts"
export type { AdmmOptions } from "./admm.ts"
export { blockReconstruction } from "./block.ts"
export type { BlockReconstructionOptions } from "./block.ts"
export { fineTune } from "./fine_tune.ts"
export type { FineTuned, FineTuneOptions } from "./fine_tune.ts"
export { magnitude } from "./magnitude.ts"
export {
  applyMask,
  magnitudeMask,
  magnitudeScore,
  removedCount,
  wandaMask,
  wandaScore,
} from "./masks.ts"
export { maskedLeastSquares } from "./masked_least_squares.ts"
export type { MaskedLeastSquaresPrunerOptions } from "./masked_least_squares.ts"
export {
  LoraShapeMismatch,
  measurePlainMerge,
  mergeLora,
  mergeLoraWeight,
  UnknownLinear,
} from "./merge_lora.ts"
export type {
  LoraAdapter,
  LoraAdapters,
  LoraLayerReport,
  MergedLora,
  MergedWeight,
  PlainMerge,
} from "./merge_lora.ts"
export * as Naive from "./naive/mod.ts"
export {
  NeedsUnstructured,
  outlierShare,
  owlBudgets,
  owlBudgetsOfStore,
  owlSparsities,
} from "./owl.ts"
export type { BlockBudget, OwlBudgets, OwlOptions } from "./owl.ts"
export {
  NotTwoOfFour,
  packedTwoOfFourSpec,
  packTwoOfFour,
  twoOfFourLinear,
  unpackTwoOfFour,
} from "./packed_two_of_four.ts"
export type { PackedTwoOfFour } from "./packed_two_of_four.ts"
export { CalibrationMissing } from "@espalier/calibration"
export { prune, pruneStore } from "./prune.ts"
export type { PruneOptions } from "./prune.ts"
export type { BlockProblem, LayerProblem, PruneError, Pruner } from "./pruner.ts"
export { countSparsity, overallSparsity } from "./report.ts"
export type { LayerReport, LayerSparsity, Pruned } from "./report.ts"
export { denseStep, sds } from "./sds.ts"
export type { DenseStepOptions, SdsOptions } from "./sds.ts"
export { smallestOfAll, smallestOfGroups, smallestOfRow } from "./selection.ts"
export { sparseGpt, sparseGptRule } from "./sparsegpt.ts"
export type { SparseGptOptions } from "./sparsegpt.ts"
export {
  checkWidth,
  InvalidSparsity,
  parseSparsity,
  printSparsity,
  SparsityInput,
  SparsityWidthMismatch,
} from "./sparsity.ts"
export type { Sparsity } from "./sparsity.ts"
export { wanda } from "./wanda.ts"
