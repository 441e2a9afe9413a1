/**
 * Reproducible pipelines: typed steps, pipeline files, a content-addressed store, plans, runs that
 * resume, and manifests. Knows nothing of tensors: an application brings the steps and the device.
 *
 * @module
 */
export {
  ArtifactType,
  type ArtifactServices,
  type ArtifactValue,
  type Files,
  Metrics,
  type MetricsDocument,
  type TaggedFailure,
} from "./artifact.ts"
export {
  canonicalJson,
  isJsonObject,
  type Json,
  type JsonObject,
  toJson,
} from "./canonical_json.ts"
export { type DataFolder, type DataFolderOptions, findDataFolder } from "./data_folder.ts"
export { didYouMean, editDistance, suggest } from "./did_you_mean.ts"
export {
  type InputFileRequest,
  InputFileUnreadable,
  locateInputFile,
  unreadable,
} from "./input_file.ts"
export type { InputFile } from "./inspect_step.ts"
export { loadPipeline } from "./load.ts"
export { OutputFolderError } from "./output_folder.ts"
export { applyOverrides, InvalidOverride, type Override, parseOverride } from "./override.ts"
export type { Pipeline, PipelineStep, Reference } from "./pipeline.ts"
export { DeviceUnavailable, PipelineDevice } from "./pipeline_device.ts"
export {
  definePipeline,
  type DocumentPath,
  type Origin,
  type PipelineDocument,
  type PipelineSource,
  readPipelineFile,
} from "./pipeline_file.ts"
export { type PlannedStep, planPipeline } from "./plan.ts"
export {
  DataFolderMissing,
  InputFileMissing,
  InvalidPipeline,
  InvalidValue,
  PipelineCycle,
  PipelineFileMissing,
  type PipelineProblem,
  PipelineSyntaxError,
  TypeMismatch,
  UnknownKey,
  UnknownReference,
  UnknownStep,
} from "./problem.ts"
export { resolvePipeline } from "./resolve.ts"
export { describeCause, type RunOptions, runPipeline } from "./run.ts"
export type { RunEvent } from "./run_event.ts"
export type { RunRecord, StepFailure, StepRecord } from "./run_record.ts"
export { sha256, sha256Json } from "./sha256.ts"
export {
  type ConfigSchema,
  type ErasedArtifact,
  type ErasedInput,
  type ErasedResult,
  type InputSpecification,
  type InputValue,
  type NamedValue,
  Step,
  type StepContext,
  type StepDefinition,
  type StepResult,
} from "./step.ts"
export { explainChange, type KeyMaterial } from "./step_key.ts"
export { Store, type StoreLookup, type StoreService } from "./store.ts"
export type { StoredFile, StoredOutput, StoreEntry } from "./store_entry.ts"
export { StoreError } from "./store_error.ts"
