import { Effect, Option, Schema, Stream } from "effect"
import { AiError } from "effect/ai"

/** The next call could exceed the budget; it was not made. */
export class BudgetExhausted extends Schema.TaggedError<BudgetExhausted>()("BudgetExhausted", {
  /** What ran out. */
  budget: Schema.Literals(["tokens", "cost", "requests"]),
  /** Tokens, US dollars or requests. */
  limit: Schema.Finite,
  spent: Schema.Finite,
  /** The most that the call could need, other calls in flight included. */
  needed: Schema.Finite,
  hint: Schema.String,
}) {
  override get message(): string {
    const show = (amount: number) =>
      this.budget === "cost" ? `$${amount.toFixed(6)}` : amount.toLocaleString("en-US")
    return `The budget of ${show(this.limit)} (${this.budget}) is exhausted: ${show(this.spent)} are spent and the next call may need ${show(this.needed)}. ${this.hint}`
  }
}

/** A budget in money was set for a model whose price is not known. */
export class PriceUnknown extends Schema.TaggedError<PriceUnknown>()("PriceUnknown", {
  provider: Schema.String,
  model: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `The price of ${this.model} (${this.provider}) is not known, so a budget in dollars cannot be kept. ${this.hint}`
  }
}

/** A strict cassette does not hold the answer to a request. */
export class CassetteMiss extends Schema.TaggedError<CassetteMiss>()("CassetteMiss", {
  file: Schema.String,
  key: Schema.String,
  /** How often this very request had been made before. */
  occurrence: Schema.Int,
  /** Where the request first differs from the nearest recorded one, as a JSON pointer. */
  at: Schema.String,
  /** What the nearest recorded request has there. */
  recorded: Schema.String,
  /** What this request has there. */
  asked: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.file} does not hold the answer to this request: at ${this.at} it is ${this.asked}, the nearest recorded request has ${this.recorded}. ${this.hint}`
  }
}

/** A cassette cannot be read or written. */
export class CassetteFileError extends Schema.TaggedError<CassetteFileError>()(
  "CassetteFileError",
  { file: Schema.String, problem: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `${this.file}: ${this.problem}. ${this.hint}`
  }
}

/** A model's answer does not fit the schema, and neither did its repair. */
export class InvalidAnswer extends Schema.TaggedError<InvalidAnswer>()("InvalidAnswer", {
  objectName: Schema.String,
  /** The last answer, as it came. */
  answer: Schema.String,
  /** What is wrong with it. */
  problem: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `The model's answer is no ${this.objectName}, and its repair was none either: ${this.problem}. ${this.hint}`
  }
}

const Carried = Schema.Union([BudgetExhausted, PriceUnknown, CassetteMiss, CassetteFileError])

/** The errors that travel inside an `AiError`, because Effect's interface knows no other. */
export type CarriedError = typeof Carried.Type

/** All that a call of a language model fails with. */
export type LanguageModelError = AiError.AiError | CarriedError | InvalidAnswer

const metadataKey = "@espalier/llm"

/** Puts an error of this package into the one that Effect's `LanguageModel` fails with. */
export const carry = (error: CarriedError, module: string, method: string): AiError.AiError => {
  const encoded = Schema.encodeSync(Schema.toCodecJson(Carried))(error)
  return AiError.make({
    module,
    method,
    reason: new AiError.UnknownError({
      description: error.message,
      metadata: { [metadataKey]: JSON.parse(JSON.stringify(encoded)) },
    }),
  })
}

const decodeCarried = Schema.decodeUnknownOption(Schema.toCodecJson(Carried))

/** The error of this package that an `AiError` carries, if it does. */
const carriedBy = (error: unknown): Option.Option<CarriedError> =>
  AiError.isAiError(error) && error.reason._tag === "UnknownError"
    ? decodeCarried(error.reason.metadata[metadataKey])
    : Option.none()

const uncarry = <E>(error: E): E | CarriedError => Option.getOrElse(carriedBy(error), () => error)

/**
 * Gives errors of this package their types back. Effect's `LanguageModel` and `EmbeddingModel` fail
 * with `AiError` alone, so `BudgetExhausted`, `PriceUnknown`, `CassetteMiss` and `CassetteFileError`
 * travel inside it; after this they can be caught by their tags.
 *
 * @example
 * ```ts
 * import { budgetLayer, scriptedLanguageModel, typedErrors } from "@espalier/llm"
 * import { Effect } from "effect"
 * import { LanguageModel } from "effect/ai"
 *
 * const answer = LanguageModel.generateText({ prompt: "How tall is Ben Nevis?" }).pipe(
 *   typedErrors,
 *   Effect.map(({ text }) => text),
 *   Effect.catchTag("BudgetExhausted", ({ budget }) => Effect.succeed(`no ${budget} left`)),
 *   Effect.provide([scriptedLanguageModel(() => "1,345 m"), budgetLayer({ requests: 0 })]),
 * )
 * console.log(await Effect.runPromise(answer)) // no requests left
 * ```
 */
export const typedErrors = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | CarriedError, R> => Effect.mapError(effect, uncarry)

/** {@link typedErrors} for streams. */
export const typedStreamErrors = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
): Stream.Stream<A, E | CarriedError, R> => Stream.mapError(stream, uncarry)
