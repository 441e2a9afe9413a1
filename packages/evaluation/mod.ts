/**
 * ROUGE, classification and calibration figures, bootstrap intervals and folds: plain functions over
 * plain values.
 *
 * @module
 */
export { blockBootstrap, type BlockBootstrapOptions } from "./block_bootstrap.ts"
export { bootstrapInterval, mean, pairedBootstrap } from "./bootstrap.ts"
export type { BootstrapOptions, Interval } from "./bootstrap.ts"
export { brierScore, expectedCalibrationError, reliabilityBins } from "./calibration_error.ts"
export type { ReliabilityBin } from "./calibration_error.ts"
export { classificationReport } from "./classification_report.ts"
export type { ClassificationReport, LabelReport } from "./classification_report.ts"
export { stratifiedGroupFolds } from "./folds.ts"
export type { FoldItem } from "./folds.ts"
export { shuffled, uniformNumbers } from "./random_numbers.ts"
export { longestCommonSubsequence, rouge, rougeL, rougeN, rougeTokens } from "./rouge.ts"
export type { RougeScore, RougeScores } from "./rouge.ts"
