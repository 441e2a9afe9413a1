/**
 * Quantisation of language models to integers of 2, 3, 4 and 8 bits.
 *
 * @module
 */
export { awq } from "./awq.ts"
export type { AwqOptions } from "./awq.ts"
export { dlQat, largestRank } from "./dl_qat.ts"
export type { DlQatOptions } from "./dl_qat.ts"
export { gptq } from "./gptq.ts"
export type { GptqOptions } from "./gptq.ts"
export { codeOf, gridOf, quantizeOnGrid, ScaleUnderflow } from "./grid.ts"
export type { Grid, GroupGrid, RangeSearch } from "./grid.ts"
export {
  packedWeightSpec,
  packWeight,
  quantizedLinear,
  unpackWeight,
} from "./packed_linear/packed_linear.ts"
export type { PackedWeight } from "./packed_linear/packed_linear.ts"
export { hqq } from "./hqq.ts"
export type { HqqOptions } from "./hqq.ts"
export * as Naive from "./naive/mod.ts"
export { TeacherMismatch, trainedShareOf, trainQuantized } from "./qat.ts"
export type { QatMethod, QatOptions, QatResult, TracedLinear, TracedQuantized } from "./qat.ts"
export { qaLora, qLora } from "./qat_baselines.ts"
export type { LowRankBaselineOptions } from "./qat_baselines.ts"
export { CalibrationMissing } from "@espalier/calibration"
export { overallBits, quantize, quantizeStore } from "./quantize.ts"
export type { LayerReport, Quantized, QuantizeOptions } from "./quantize.ts"
export { bitsPerWeight, dequantize, matrixOf } from "./quantized_weight.ts"
export type { QuantizedWeight } from "./quantized_weight.ts"
export type { LayerProblem, QuantizeError, Quantizer } from "./quantizer.ts"
export { rtn } from "./rtn.ts"
export type { RtnOptions } from "./rtn.ts"
export {
  checkGroup,
  checkScheme,
  GroupWidthMismatch,
  InvalidScheme,
  levelsOf,
  printScheme,
  SchemeInput,
} from "./scheme.ts"
export type { Bits, GroupSize, Scheme } from "./scheme.ts"
