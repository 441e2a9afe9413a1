import { Cause, Exit } from "effect"

/** What the process says when it ends. */
export const exitCodes = {
  ok: 0,
  stepFailed: 1,
  badInput: 2,
  noDevice: 3,
  interrupted: 130,
} as const

const badInput = new Set([
  "DemoMissing",
  "InvalidOverride",
  "InvalidPipeline",
  "OutputFolderError",
  "PipelineFileMissing",
  "StoreError",
  // What effect/cli fails with where the command line itself is wrong.
  "DuplicateOption",
  "InvalidValue",
  "MissingArgument",
  "MissingOption",
  "ShowHelp",
  "UnexpectedArgument",
  "UnknownSubcommand",
  "UnrecognizedOption",
  "UserError",
])

/** The exit code of an expected failure, by its tag; what is not known is the failure of a step. */
export const exitCodeOf = (tag: string): number =>
  tag === "DeviceUnavailable"
    ? exitCodes.noDevice
    : badInput.has(tag)
      ? exitCodes.badInput
      : exitCodes.stepFailed

/** The exit code of a whole command. */
export const exitCodeOfExit = (exit: Exit.Exit<number, { readonly _tag: string }>): number => {
  if (Exit.isSuccess(exit)) return exit.value
  if (Cause.hasInterrupts(exit.cause)) return exitCodes.interrupted
  const failure = exit.cause.reasons.find(Cause.isFailReason)
  return failure === undefined ? exitCodes.stepFailed : exitCodeOf(failure.error._tag)
}
