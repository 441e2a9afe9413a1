import { Notices } from "@espalier/runtime"
import { type Config, Effect, type Layer, Redacted, Ref, Stream } from "effect"
import { type LanguageModel, OpenAiStructuredOutput } from "effect/ai"
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
import { makeRequest, type StructuredOutput } from "./request.ts"
import { readStream } from "./stream.ts"

/** Options of {@link openAi}. */
export interface OpenAiOptions extends ServerOptions, Sampling {
  /** The model's name as the server knows it. */
  readonly model: string
  /**
   * How the server is told the schema of an answer; by default `json_schema`, and `prompt` from the
   * first time that the server refuses it.
   */
  readonly structuredOutput?: StructuredOutput
  /** What the server calls `maxTokens`: OpenAI `max_completion_tokens`, by default all others `max_tokens`. */
  readonly maxTokensField?: "max_tokens" | "max_completion_tokens"
}

/** OpenAI's own server, and the names under which the environment knows another. */
export const openAiVendor: Vendor = {
  name: "openai",
  baseUrl: "https://api.openai.com/v1",
  urlVariable: "OPENAI_BASE_URL",
  keyVariable: "OPENAI_API_KEY",
  headers: (key) => ({ authorization: Redacted.make(`Bearer ${Redacted.value(key)}`) }),
}

/** Whether a server refused a request because it does not know how to constrain answers. */
const refusesSchema = ({ status, reason }: HttpProblem): boolean =>
  (status === 400 || status === 422 || status === 501) &&
  /response_format|json_schema|json schema|grammar|structured|unsupported|not supported|extra/i.test(
    reason.message,
  )

const tokensOf = (call: ProviderCall): number =>
  estimateTokens(promptText(call.options.prompt)) + (call.sampling.maxTokens ?? 0)

const noticeOf = (model: string) =>
  `${model}: the server does not take a schema (response_format); it is described in the prompt instead`

/**
 * A provider for every server that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama, llama.cpp
 * and others. `openAi` makes a layer of it.
 */
export const makeOpenAi = Effect.fnUntraced(function* (options: OpenAiOptions) {
  const { model } = options
  const server = yield* resolveServer(openAiVendor, options)
  const transport = yield* makeTransport(options)
  const chat = server.endpoint("/chat/completions")
  const structuredOutput = yield* Ref.make(options.structuredOutput ?? "json_schema")
  const maxTokensField =
    options.maxTokensField ?? (server.own ? "max_completion_tokens" : "max_tokens")

  const request = Effect.fnUntraced(function* (call: ProviderCall, stream: boolean) {
    const output = yield* Ref.get(structuredOutput)
    const form = { model, maxTokensField, structuredOutput: output, stream }
    const body = yield* makeRequest(call, form)
    return { endpoint: chat, body, tokens: tokensOf(call) }
  })

  const failed = asAiError("LanguageModel", "generateText")

  const ask = Effect.fnUntraced(function* (call: ProviderCall) {
    const posting = yield* request(call, false)
    const found = yield* postJson(transport, posting)
    return yield* readAnswer(chat, found, call.answer)
  })

  /** From the first refusal on, the schema is described in the prompt. */
  const askWithout = Effect.fnUntraced(function* (call: ProviderCall) {
    yield* Ref.set(structuredOutput, "prompt")
    yield* Notices.report(noticeOf(model))
    return yield* ask(call)
  })

  const generate = (call: ProviderCall) =>
    ask(call).pipe(
      Effect.catchTag("HttpProblem", (problem) =>
        Effect.flatMap(Ref.get(structuredOutput), (output) =>
          call.answer !== undefined &&
          options.structuredOutput === undefined &&
          output === "json_schema" &&
          refusesSchema(problem)
            ? askWithout(call)
            : Effect.fail(problem),
        ),
      ),
      Effect.catchTag("HttpProblem", (problem) => Effect.fail(failed(problem))),
    )

  const streamed = asAiError("LanguageModel", "streamText")
  const stream = (call: ProviderCall) =>
    Stream.unwrap(
      Effect.map(request(call, true), (posting) =>
        Stream.mapError(postStream(transport, posting, readStream(chat)), streamed),
      ),
    )

  const provider: Provider = {
    name: "openai",
    model,
    sampling: samplingOf(options),
    secrets: server.secrets,
    price: server.priceOf(model),
    codecTransformer: OpenAiStructuredOutput.toCodecOpenAI,
    generate,
    stream,
  }
  return provider
})

/**
 * A `LanguageModel` of a server that speaks OpenAI's chat completions (`POST /chat/completions`):
 * OpenAI itself, vLLM, Ollama, llama.cpp and others, by their base URL.
 *
 * @example
 * ```ts
 * import { openAi } from "@espalier/llm"
 * import { Effect, Layer } from "effect"
 * import { LanguageModel } from "effect/ai"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 *
 * // Use FetchHttpClient.layer of effect/http; this one answers without a network.
 * const body = { choices: [{ message: { content: "1,345 m" }, finish_reason: "stop" }] }
 * const http = Layer.succeed(HttpClient.HttpClient, HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, Response.json(body)))))
 *
 * const model = openAi({ model: "qwen3:8b", baseUrl: "http://localhost:11434/v1", temperature: 0 })
 * const answer = LanguageModel.generateText({ prompt: "How tall is Ben Nevis?" }).pipe(
 *   Effect.provide(Layer.provide(model, http)),
 * )
 * console.log((await Effect.runPromise(answer)).text) // 1,345 m
 * ```
 */
export const openAi = (
  options: OpenAiOptions,
): Layer.Layer<LanguageModel.LanguageModel, Config.ConfigError, HttpClient.HttpClient> =>
  languageModelLayer(makeOpenAi(options))
