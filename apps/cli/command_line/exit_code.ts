import { Cause, Exit } from "effect"

/** What the process says when it ends. */
export const exitCodes = {
  ok: 0,
  stepFailed: 1,
  badInput: 2,
  noDevice: 3,
  interrupted: 130,
} as const

/** The failures that whoever gave the input can put right, by tag. */
const badInput: ReadonlySet<string> = new Set([
  // The command line, as effect/cli sees it.
  "DuplicateOption",
  "InvalidValue",
  "MissingArgument",
  "MissingOption",
  "ShowHelp",
  "UnexpectedArgument",
  "UnknownSubcommand",
  "UnrecognizedOption",
  "UserError",
  // Language models.
  "CassetteFileError",
  "CassetteMiss",
  "InvalidLanguageModelChoice",
  "PriceUnknown",
  // Pipelines, files and folders.
  "ArchiveExists",
  "ArchiveFileError",
  "AddressUnavailable",
  "BucketNotFound",
  "ClockSkewed",
  "ClusterUnavailable",
  "DataFolderMissing",
  "DatabaseMissing",
  "DemoMissing",
  "InputFileMissing",
  "InputFileUnreadable",
  "InvalidArchive",
  "InvalidOverride",
  "InvalidPipeline",
  "InvalidRemoteAddress",
  "NotResumable",
  "OutputFolderError",
  "PathOutsideSandbox",
  "PipelineFileMissing",
  "RemoteAccessDenied",
  "RemoteCredentialsMissing",
  "RemoteUnavailable",
  "RemoteUnsuitable",
  "RunExists",
  "RunIncomplete",
  "RunNotFound",
  "RunUnfinished",
  "StepNotFound",
  "StepsUnknown",
  "StoreError",
  "UnknownRun",
  // Trading.
  "AgentStateError",
  "DecisionFileError",
  "InvalidBroker",
  "InvalidWindow",
  "PriceFileError",
  "TradeRunMissing",
  "TradeRunUnusable",
  "UnknownAgent",
  // What the files hold, and what is asked of it.
  "DetectorFormatError",
  "DetectorMissing",
  "FmdFileError",
  "FmdFormatError",
  "PredictionCountMismatch",
  "TooFewItems",
  "CalibrationMissing",
  "CandidatesUnmatched",
  "CheckpointExists",
  "CheckpointFileError",
  "CheckpointFormatError",
  "ContextExceeded",
  "EmptyText",
  "GroupWidthMismatch",
  "InvalidLowRank",
  "InvalidManifest",
  "InvalidMethodOption",
  "InvalidModelConfig",
  "InvalidScheme",
  "InvalidSparsity",
  "InvalidTraining",
  "MetricMissing",
  "ModelSizesMismatch",
  "NonFiniteValues",
  "NotQuantized",
  "NothingToScore",
  "ScaleUnderflow",
  "SparsityWidthMismatch",
  "TeacherMismatch",
  "TextFormatError",
  "TextTooShort",
  "TokenOutOfRange",
  "TokenizerFormatError",
  "TokenizerMismatch",
  "UnstorableWeight",
  "UnsupportedByGguf",
  "UnsupportedDType",
  "UnsupportedFamily",
  "UnsupportedPacking",
  "WeightOverflow",
  "WindowTooLong",
  "ZeroShotFormatError",
])

/** An expected failure: its tag, and where a run failed the tags of the steps that did. */
export interface Failure {
  readonly _tag: string
  readonly failedSteps?: ReadonlyArray<{ readonly tag: string }>
}

/**
 * The exit code of an expected failure; what is not known is the failure of a step. Where steps
 * failed, it is bad input only if each of them did for that reason.
 */
export const exitCodeOf = ({ _tag, failedSteps }: Failure): number => {
  if (_tag === "DeviceUnavailable") return exitCodes.noDevice
  const bad =
    failedSteps === undefined
      ? badInput.has(_tag)
      : failedSteps.every(({ tag }) => badInput.has(tag))
  return bad ? exitCodes.badInput : exitCodes.stepFailed
}

/** The exit code of a whole command. */
export const exitCodeOfExit = (exit: Exit.Exit<number, Failure>): number => {
  if (Exit.isSuccess(exit)) return exit.value
  if (Cause.hasInterrupts(exit.cause)) return exitCodes.interrupted
  const failure = exit.cause.reasons.find(Cause.isFailReason)
  return failure === undefined ? exitCodes.stepFailed : exitCodeOf(failure.error)
}
