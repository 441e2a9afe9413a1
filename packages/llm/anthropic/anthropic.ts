import { Notices } from "@espalier/runtime"
import { type Config, Effect, type Layer, Ref, Stream } from "effect"
import { AnthropicStructuredOutput, type LanguageModel } from "effect/ai"
import type { HttpClient } from "effect/http"
import { asAiError, type HttpProblem } from "../http/http_problem.ts"
import { postJson, postStream } from "../http/send.ts"
import { makeTransport, resolveServer, type ServerOptions, type Vendor } from "../http/server.ts"
import { languageModelLayer } from "../language_model.ts"
import type { Provider, ProviderCall } from "../provider.ts"
import { promptText } from "../provider_call.ts"
import { type Sampling, samplingOf } from "../sampling.ts"
import { estimateTokens } from "../spending/estimate_tokens.ts"
import { readAnswer } from "./answer.ts"
import {
  answerTool,
  type AnthropicStructuredOutputMode,
  makeRequest,
  usualMaxTokens,
} from "./request.ts"
import { readStream } from "./stream.ts"

/** Options of {@link anthropic}. */
export interface AnthropicOptions extends ServerOptions, Omit<Sampling, "seed"> {
  /** The model's name, e.g. `claude-haiku-4-5`. */
  readonly model: string
  /**
   * How the server is told the schema of an answer; by default `output_config`, and `tool` from the
   * first time that the server refuses it.
   */
  readonly structuredOutput?: AnthropicStructuredOutputMode
}

const vendor: Vendor = {
  name: "anthropic",
  baseUrl: "https://api.anthropic.com",
  urlVariable: "ANTHROPIC_BASE_URL",
  keyVariable: "ANTHROPIC_API_KEY",
  headers: (key) => ({ "x-api-key": key }),
  // The version whose form of requests and answers is read here.
  always: { "anthropic-version": "2023-06-01" },
}

/** Whether a server refused a request because the model cannot constrain its answers. */
const refusesSchema = ({ status, reason }: HttpProblem): boolean =>
  status === 400 && /output_config|output format|structured|json_schema/i.test(reason.message)

const seedNotice = "the Anthropic API takes no seed: the same question may have other answers"

/** A provider for Anthropic's messages. `anthropic` makes a layer of it. */
export const makeAnthropic = Effect.fnUntraced(function* (options: AnthropicOptions) {
  const { model } = options
  const server = yield* resolveServer(vendor, options)
  const transport = yield* makeTransport(options)
  const endpoint = server.endpoint("/v1/messages")
  const structuredOutput = yield* Ref.make(options.structuredOutput ?? "output_config")

  const request = Effect.fnUntraced(function* (call: ProviderCall, stream: boolean) {
    if (call.sampling.seed !== undefined) yield* Notices.report(seedNotice)
    const mode = yield* Ref.get(structuredOutput)
    const body = yield* makeRequest(call, { model, mode, stream })
    const tokens =
      estimateTokens(promptText(call.options.prompt)) + (call.sampling.maxTokens ?? usualMaxTokens)
    return { posting: { endpoint, body, tokens }, tool: answerTool(call, mode) }
  })

  const ask = Effect.fnUntraced(function* (call: ProviderCall) {
    const { posting, tool } = yield* request(call, false)
    const found = yield* postJson(transport, posting)
    return yield* readAnswer(endpoint, found, call.answer, tool)
  })

  /** From the first refusal on, answers come as the parameters of a tool. */
  const askByTool = Effect.fnUntraced(function* (call: ProviderCall) {
    yield* Ref.set(structuredOutput, "tool")
    yield* Notices.report(
      `${model}: the server does not take a schema; it is given as a tool instead`,
    )
    return yield* ask(call)
  })

  const failed = asAiError("LanguageModel", "generateText")
  const generate = (call: ProviderCall) =>
    ask(call).pipe(
      Effect.catchTag("HttpProblem", (problem) =>
        Effect.flatMap(Ref.get(structuredOutput), (mode) =>
          call.answer !== undefined &&
          options.structuredOutput === undefined &&
          mode === "output_config" &&
          refusesSchema(problem)
            ? askByTool(call)
            : Effect.fail(problem),
        ),
      ),
      Effect.catchTag("HttpProblem", (problem) => Effect.fail(failed(problem))),
    )

  const streamed = asAiError("LanguageModel", "streamText")
  const stream = (call: ProviderCall) =>
    Stream.unwrap(
      Effect.map(request(call, true), ({ posting }) =>
        Stream.mapError(postStream(transport, posting, readStream(endpoint)), streamed),
      ),
    )

  const provider: Provider = {
    name: "anthropic",
    model,
    sampling: { maxTokens: usualMaxTokens, ...samplingOf(options) },
    secrets: server.secrets,
    price: server.priceOf(model),
    codecTransformer: AnthropicStructuredOutput.toCodecAnthropic,
    generate,
    stream,
  }
  return provider
})

/**
 * A `LanguageModel` of Anthropic's messages API (`POST /v1/messages`).
 *
 * @example
 * ```ts
 * import { anthropic } from "@espalier/llm"
 * import { Effect, Layer } from "effect"
 * import { LanguageModel } from "effect/ai"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 *
 * // Use FetchHttpClient.layer of effect/http; this one answers without a network.
 * const body = { content: [{ type: "text", text: "1,345 m" }], stop_reason: "end_turn" }
 * const http = Layer.succeed(HttpClient.HttpClient, HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, Response.json(body)))))
 *
 * const model = anthropic({ model: "claude-haiku-4-5", maxTokens: 100 })
 * const answer = LanguageModel.generateText({ prompt: "How tall is Ben Nevis?" }).pipe(
 *   Effect.provide(Layer.provide(model, http)),
 * )
 * console.log((await Effect.runPromise(answer)).text) // 1,345 m
 * ```
 */
export const anthropic = (
  options: AnthropicOptions,
): Layer.Layer<LanguageModel.LanguageModel, Config.ConfigError, HttpClient.HttpClient> =>
  languageModelLayer(makeAnthropic(options))
