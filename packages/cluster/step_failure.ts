import { describeCause, type TaggedFailure } from "@espalier/pipeline"
import { type Cause, Effect, Schema } from "effect"

/** A failure as it travels: what people are told of it. */
export const StepFailure = Schema.Struct({
  tag: Schema.String,
  message: Schema.String,
  hint: Schema.optionalKey(Schema.String),
})

export type StepFailure = typeof StepFailure.Type

/** What is sent of the cause that ended a step. */
export const failureOf = (cause: Cause.Cause<unknown>): StepFailure => {
  const { tag, message, hint } = describeCause(cause)
  return { tag, message, ...(hint === undefined ? {} : { hint }) }
}

/** A defect as it was where it happened, without the stack that means nothing here. */
const defectOf = (message: string): Error => {
  const [, name, rest] = /^(\w*Error): (.*)$/s.exec(message) ?? []
  const defect = new Error(rest ?? message)
  if (name !== undefined) defect.name = name
  return defect
}

/** Fails as the step failed where it was done. */
export const failAs = ({ tag, message, hint }: StepFailure): Effect.Effect<never, TaggedFailure> =>
  tag === "Defect"
    ? Effect.die(defectOf(message))
    : Effect.fail({ _tag: tag, message, ...(hint === undefined ? {} : { hint }) })
