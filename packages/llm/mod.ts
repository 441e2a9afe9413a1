/**
 * Language models behind Effect's own `LanguageModel` and `EmbeddingModel`: servers' APIs, a script
 * for tests, or a provider of one's own; with transcripts, a ledger and budgets. Knows no tensor.
 *
 * @module
 */
export { anthropic, makeAnthropic } from "./anthropic/anthropic.ts"
export type { AnthropicOptions } from "./anthropic/anthropic.ts"
export type { AnthropicStructuredOutputMode } from "./anthropic/request.ts"
export type { Json, JsonObject } from "./canonical_json.ts"
export { Cassette, cassetteLayer, cassetteModes, makeCassette } from "./cassette/cassette.ts"
export type { CassetteMode, CassetteOptions, CassetteService, Recall } from "./cassette/cassette.ts"
export { hashedEmbeddings } from "./embeddings/hashed_embeddings.ts"
export { cosineSimilarity, makeHashedTfIdf } from "./embeddings/hashed_tf_idf.ts"
export type { HashedTfIdf, HashedTfIdfOptions } from "./embeddings/hashed_tf_idf.ts"
export { extractJson } from "./extract_json.ts"
export { generateObject } from "./generate_object.ts"
export type { GeneratedObject, GenerateObjectOptions } from "./generate_object.ts"
export type { RateLimit } from "./http/rate_limit.ts"
export type { RetryPolicy } from "./http/retry.ts"
export type { TransportOptions } from "./http/send.ts"
export type { ServerOptions } from "./http/server.ts"
export { languageModelLayer, makeLanguageModel } from "./language_model.ts"
export { openAiEmbeddings } from "./openai/embeddings.ts"
export type { OpenAiEmbeddingsOptions } from "./openai/embeddings.ts"
export { makeOpenAi, openAi } from "./openai/openai.ts"
export type { OpenAiOptions } from "./openai/openai.ts"
export type { StructuredOutput } from "./openai/request.ts"
export { schemaInstruction } from "./parts/schema_instruction.ts"
export type { AnswerSchema, Provider, ProviderCall, ToolDescription } from "./provider.ts"
export { promptText } from "./provider_call.ts"
export { samplingOf, SamplingOverrides, withSampling } from "./sampling.ts"
export type { Sampling } from "./sampling.ts"
export { makeScriptedProvider, scriptedLanguageModel } from "./scripted_language_model.ts"
export type { Script, ScriptedCall } from "./scripted_language_model.ts"
export { scrubSecrets } from "./secrets.ts"
export { Budget, budgetLayer, makeBudget } from "./spending/budget.ts"
export type { BudgetLimits, BudgetService, PlannedCall, Reservation } from "./spending/budget.ts"
export { estimateTokens } from "./spending/estimate_tokens.ts"
export { Ledger, ledgerLayer, makeLedger, printLedger, summarizeLedger } from "./spending/ledger.ts"
export type { LedgerEntry, LedgerService, LedgerSummary } from "./spending/ledger.ts"
export { costOf, listPrice, prices } from "./spending/prices.ts"
export type { DatedPrice, Price, TokenUsage } from "./spending/prices.ts"
export {
  BudgetExhausted,
  CassetteFileError,
  CassetteMiss,
  InvalidAnswer,
  PriceUnknown,
  typedErrors,
  typedStreamErrors,
} from "./typed_errors.ts"
export type { CarriedError, LanguageModelError } from "./typed_errors.ts"
