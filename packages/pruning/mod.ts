/**
 * One-shot pruning of language models: magnitude and Wanda, unstructured and N:M.
 *
 * @module
 */
export { pruneMagnitude } from "./magnitude.ts"
export {
  applyMask,
  magnitudeMask,
  magnitudeScore,
  removedCount,
  wandaMask,
  wandaScore,
} from "./masks.ts"
export { countSparsity } from "./report.ts"
export type { LayerSparsity, Pruned } from "./report.ts"
export { smallestOfAll, smallestOfGroups, smallestOfRow } from "./selection.ts"
export {
  checkWidth,
  InvalidSparsity,
  parseSparsity,
  printSparsity,
  SparsityInput,
  SparsityWidthMismatch,
} from "./sparsity.ts"
export type { Sparsity } from "./sparsity.ts"
export { pruneWanda } from "./wanda.ts"
export type { WandaOptions } from "./wanda.ts"
