import { typedErrors } from "@espalier/llm"
import { Effect, Schema } from "effect"
import { AiError } from "effect/ai"

/** A language model did not answer. */
export class LanguageModelFailed extends Schema.TaggedError<LanguageModelFailed>()(
  "LanguageModelFailed",
  {
    /** The kind of failure: `AuthenticationError`, `NetworkError` … */
    reason: Schema.String,
    problem: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `${this.problem}. ${this.hint}`
  }
}

const usualHint = "Ask in another way, or use another model (--model)."

/** What is wrong, and what to do: the messages of the providers end with it. */
const tell = (error: AiError.AiError): LanguageModelFailed => {
  const { message, _tag: reason } = error.reason
  const border = message.lastIndexOf(". ")
  return border === -1
    ? new LanguageModelFailed({ reason, problem: message, hint: usualHint })
    : new LanguageModelFailed({
        reason,
        problem: message.slice(0, border),
        hint: message.slice(border + 2),
      })
}

const failureOf = <E>(error: E): Exclude<E, AiError.AiError> | LanguageModelFailed =>
  AiError.isAiError(error) ? tell(error) : (error as Exclude<E, AiError.AiError>)

/** Makes errors of language models fit for a command line: typed, with what to do. */
export const tellFailures = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.mapError(typedErrors(effect), failureOf)
