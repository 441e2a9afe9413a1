/**
 * Detects misinformation and explains the verdict: a trained detector that needs no language model, a
 * verifier over one, and the scoring of the FMD challenge.
 *
 * @module
 */
export { type Answer, answerText, readAnswer } from "./answer.ts"
export { bestLead, leadVerdict, leadWords, majorityLabel, oracleExplanation } from "./baselines.ts"
export type { FeatureSource } from "./claim_features.ts"
export { crossValidate } from "./cross_validate.ts"
export type { CrossValidation, CrossValidationOptions } from "./cross_validate.ts"
export { detect, trainDetector } from "./detector.ts"
export type { Detector, DetectorOptions, Verdict } from "./detector.ts"
export { decodeDetector, type DetectorFiles, encodeDetector } from "./detector_files.ts"
export {
  DetectorFormatError,
  FmdFileError,
  FmdFormatError,
  PredictionCountMismatch,
  TooFewItems,
} from "./errors.ts"
export type { Classifier } from "./classifier.ts"
export type { Explainer, ExplainerParameters } from "./explainer.ts"
export { type Claim, formatInstruction, formatOutput, type Item, parseInstruction } from "./item.ts"
export { type Label, labels } from "./label.ts"
export type { Vocabulary } from "./link_traces.ts"
export {
  type DuplicateGroups,
  type DuplicateOptions,
  groupNearDuplicates,
} from "./near_duplicates.ts"
export { makeNeighbours, type Neighbours } from "./neighbours.ts"
export { readItems, type ReadOptions, streamClaims } from "./read_items.ts"
export { type FmdScore, type ItemScore, scoreAnswer, scoreOutputs } from "./score.ts"
export { type FileScore, type ScoreFiles, scoreFiles } from "./score_files.ts"
export { type Span, splitSentences } from "./sentences.ts"
export {
  type Citation,
  findPassage,
  type VerifiedClaim,
  verifierPrompt,
  verifyClaim,
  type VerifyOptions,
} from "./verify_claim.ts"
