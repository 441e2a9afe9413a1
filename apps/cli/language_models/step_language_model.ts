import { Ledger, summarizeLedger } from "@espalier/llm"
import type { Device } from "@espalier/tensor"
import { Effect, Layer, Option, Schema } from "effect"
import { Model, type ModelValue } from "../artifacts/model.ts"
import { Count, option } from "../method_options.ts"
import { chatTemplateNames } from "./chat_template.ts"
import {
  InvalidLanguageModelChoice,
  type LanguageModelChoice,
  languageModelLayer,
} from "./language_model_layer.ts"

const NotNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/**
 * The configuration keys of every step that asks a language model. Where the server stands and what
 * it takes to be let in is the environment's business: a pipeline file sends nobody's key anywhere.
 */
export const languageModelFields = {
  provider: option(
    Schema.Literals(["openai", "anthropic"]),
    "who answers: a server that speaks OpenAI's API (OPENAI_BASE_URL, OPENAI_API_KEY), or Anthropic's",
  ),
  model: option(Schema.NonEmptyString, "the model's name at the server"),
  temperature: option(NotNegative, "0 takes the most likely token"),
  topP: option(
    Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
    "sample among the likeliest tokens of this total probability",
  ),
  maxTokens: option(Count, "most tokens of an answer"),
  samplingSeed: option(Schema.Int, "same seed, same answers, as far as the server can"),
  chatTemplate: option(
    Schema.Literals(chatTemplateNames),
    "local: plain (default), chatml, or continue (the bare text)",
  ),
  cassette: option(
    Schema.String,
    "a file of answers that a command recorded with --cassette: they are played, and nobody is asked",
  ),
  budgetCost: option(NotNegative, "most US dollars to spend"),
  budgetTokens: option(Count, "most tokens of prompts and answers together"),
  budgetRequests: option(Count, "most requests"),
}

/** Those of the keys that are paths. */
export const languageModelPaths = ["cassette"] as const

/** Those of the keys that cannot change the result. */
export const languageModelOperational = ["budgetCost", "budgetTokens", "budgetRequests"] as const

/** The input of every such step. */
export const languageModelInputs = {
  local: {
    type: Model,
    optional: true,
    description: "a model of the pipeline that answers, instead of a server",
  },
} as const

const Fields = Schema.Struct(languageModelFields)

const refuse = (flag: string, problem: string, hint: string) =>
  new InvalidLanguageModelChoice({ flag, problem, hint })

const choose = Effect.fnUntraced(function* (
  config: typeof Fields.Type,
  cassette: string | undefined,
  local: ModelValue | undefined,
) {
  const { provider, model } = config
  if (local === undefined && (provider === undefined || model === undefined)) {
    const key = provider === undefined ? "provider" : "model"
    const hint = "Set provider and model, or local to a model of the pipeline."
    return yield* refuse(key, "nobody was named who answers", hint)
  }
  if (local !== undefined && provider !== undefined) {
    return yield* refuse("provider", "a local model answers already", "Leave one of the two out.")
  }
  const choice: LanguageModelChoice = {
    provider: Option.some(provider ?? "local"),
    model: Option.some(model ?? "local"),
    baseUrl: Option.none(),
    temperature: Option.fromUndefinedOr(config.temperature),
    topP: Option.fromUndefinedOr(config.topP),
    maxTokens: Option.fromUndefinedOr(config.maxTokens),
    samplingSeed: Option.fromUndefinedOr(config.samplingSeed),
    cassette: Option.fromUndefinedOr(cassette),
    cassetteMode: cassette === undefined ? Option.none() : Option.some("strict" as const),
    budgetCost: Option.fromUndefinedOr(config.budgetCost),
    budgetTokens: Option.fromUndefinedOr(config.budgetTokens),
    budgetRequests: Option.fromUndefinedOr(config.budgetRequests),
    chatTemplate: Option.fromUndefinedOr(config.chatTemplate),
    llmTokenizer: Option.none(),
    // Not looked at: the pipeline's own device computes.
    llmDevice: "auto",
  }
  return choice
})

/** The language model that a step's configuration chooses. */
export const stepLanguageModel = (
  config: typeof Fields.Type,
  paths: { readonly cassette?: string | undefined },
  inputs: { readonly local?: ModelValue | undefined },
) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { local } = inputs
      const choice = yield* choose(config, paths.cassette, local)
      const device = yield* Effect.context<Device>()
      return languageModelLayer(choice, {
        tells: false,
        ...(local === undefined ? {} : { loaded: { ...local, device } }),
      })
    }),
  )

/** What was used so far, as metrics. */
export const languageModelUsage = Effect.gen(function* () {
  const ledger = yield* Ledger
  const { requests, replayed, inputTokens, outputTokens, knownCost, unknownPrices } =
    summarizeLedger(yield* ledger.entries)
  return {
    requests,
    replayed,
    inputTokens,
    outputTokens,
    ...(unknownPrices.length === 0 ? { cost: knownCost } : {}),
  }
})
