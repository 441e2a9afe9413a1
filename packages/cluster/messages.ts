import { Schema } from "effect"
import { Submission, Told } from "./engine.ts"
import { StepFailure } from "./step_failure.ts"

/** What a worker says to the process that does its steps. */
export const Order = Schema.Struct({
  submission: Submission,
  /** Where files that steps read may be put. */
  folder: Schema.String,
})
export type Order = typeof Order.Type

/** What that process says to its worker. */
export const Report = Schema.Union([
  Schema.TaggedStruct("Ready", {}),
  /** It cannot do steps at all, e.g. for want of a device. */
  Schema.TaggedStruct("Unable", { failure: StepFailure }),
  Schema.TaggedStruct("Told", { told: Told }),
  Schema.TaggedStruct("Ended", { failure: Schema.NullOr(StepFailure) }),
])
export type Report = typeof Report.Type
