import type { Effect, Redacted, Stream } from "effect"
import type { AiError, IdGenerator, LanguageModel, Response } from "effect/ai"
import type { JsonObject } from "./canonical_json.ts"
import type { Sampling } from "./sampling.ts"
import type { Price } from "./spending/prices.ts"

/** A tool as it is described to a model. */
export interface ToolDescription {
  readonly name: string
  readonly description: string | undefined
  /** JSON Schema of its parameters. */
  readonly parameters: JsonObject
}

/** What an answer has to be. */
export interface AnswerSchema {
  readonly name: string
  /** JSON Schema. */
  readonly schema: JsonObject
}

/** One call as a provider sees it. */
export interface ProviderCall {
  readonly options: LanguageModel.ProviderOptions
  /** The provider's settings with those of the call over them. */
  readonly sampling: Sampling
  readonly tools: ReadonlyArray<ToolDescription>
  /** The answer is to be JSON of this schema; `undefined`: text. */
  readonly answer: AnswerSchema | undefined
}

/**
 * What answers the calls of a language model: a server's API, a model of one's own, a script.
 * `languageModel` makes Effect's `LanguageModel` of it and adds cassette, ledger and budget.
 */
export interface Provider {
  /** `openai`, `anthropic` or one's own: part of a transcript's key. */
  readonly name: string
  /** The model's name: part of a transcript's key. */
  readonly model: string
  readonly sampling: Sampling
  /** What must not appear in a transcript. */
  readonly secrets: ReadonlyArray<Redacted.Redacted>
  /** `free` for what costs no money; `undefined` where the price is not known. */
  readonly price: Price | "free" | undefined
  /** How schemas are changed to what the server understands. */
  readonly codecTransformer?: LanguageModel.CodecTransformer
  readonly generate: (
    call: ProviderCall,
  ) => Effect.Effect<Array<Response.PartEncoded>, AiError.AiError, IdGenerator.IdGenerator>
  readonly stream: (
    call: ProviderCall,
  ) => Stream.Stream<Response.StreamPartEncoded, AiError.AiError, IdGenerator.IdGenerator>
}
