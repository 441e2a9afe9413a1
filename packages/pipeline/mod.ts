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
export { Pipeline, type PipelineStep, type Reference } from "./pipeline.ts"
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
  PathOutsideSandbox,
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
export { hashModules, type ModuleGraph } from "./code/module_hash.ts"
export { type PipelineCode, readPipelineCode } from "./code/pipeline_code.ts"
export { describeCause } from "./describe_cause.ts"
export { eventLine } from "./event_json.ts"
export {
  Executor,
  type ExecutorService,
  type JobInput,
  type JobValue,
  type StepJob,
} from "./executor.ts"
export { readJobInputs } from "./input_reader.ts"
export { type RunOptions, runPipeline } from "./run.ts"
export { type Selection, StepNotFound } from "./select_steps.ts"
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
  type OutputSpecifications,
  type StepResult,
  type TypedStep,
} from "./step.ts"
export type { KeyMaterial, MadeFrom, MadeFromInput } from "./step_key.ts"
export {
  type AddStep,
  type StepArguments,
  type StepValues,
  type ValueReference,
} from "./typed_pipeline.ts"
export {
  ArchiveExists,
  ArchiveFileError,
  InvalidArchive,
  RunExists,
  RunIncomplete,
} from "./store/archive_error.ts"
export type { RunsToKeep } from "./store/choose_runs.ts"
export type { GarbageCount, GarbageOptions, GarbageReport } from "./store/collect_garbage.ts"
export type { StoreLookup } from "./store/entries.ts"
export type { ExportReport } from "./store/export_runs.ts"
export type { ImportReport } from "./store/import_runs.ts"
export { isProcessRunning } from "./store/process_name.ts"
export type { RemoteOptions } from "./store/remote/open_remote.ts"
export type { Remote, RemoteContent } from "./store/remote/remote.ts"
export {
  BucketNotFound,
  ClockSkewed,
  InvalidRemoteAddress,
  RemoteAccessDenied,
  RemoteCredentialsMissing,
  type RemoteError,
  RemoteUnavailable,
  RemoteUnsuitable,
} from "./store/remote/remote_error.ts"
export type { S3Times } from "./store/remote/s3_client.ts"
export { s3Remote, s3RemoteFromEnvironment } from "./store/remote/s3_remote.ts"
export type { S3Settings } from "./store/remote/s3_settings.ts"
export { type RunFolder, UnknownRun } from "./store/run_folders.ts"
export type { RunUsage, StepUsage, StoreUsage } from "./store/usage.ts"
export { Store, type StoreService } from "./store.ts"
export type { StoredFile, StoredOutput, StoreEntry } from "./store_entry.ts"
export { StoreError } from "./store_error.ts"
