import { type Config, Effect, Layer, Option, Schema } from "effect"
import { AiError, EmbeddingModel } from "effect/ai"
import type { HttpClient } from "effect/http"
import { type JsonObject, toJson } from "../canonical_json.ts"
import { Cassette } from "../cassette/cassette.ts"
import { asAiError, rubbishProblem } from "../http/http_problem.ts"
import { postJson } from "../http/send.ts"
import { makeTransport, resolveServer, type ServerOptions } from "../http/server.ts"
import { accountFor } from "../spending/account_for.ts"
import { estimateTokens } from "../spending/estimate_tokens.ts"
import { carry, type CarriedError } from "../typed_errors.ts"
import { errorTold } from "./answer.ts"
import { openAiVendor } from "./openai.ts"

/** Options of {@link openAiEmbeddings}. */
export interface OpenAiEmbeddingsOptions extends ServerOptions {
  /** The model's name, e.g. `text-embedding-3-small` or `nomic-embed-text`. */
  readonly model: string
  /** Length of the vectors, where the model can shorten them. */
  readonly dimensions?: number
  /** Most texts in one request; 256 by default. */
  readonly batch?: number
}

const Answer = Schema.Struct({
  data: Schema.Array(Schema.Struct({ index: Schema.Int, embedding: Schema.Array(Schema.Finite) })),
  usage: Schema.optional(Schema.NullOr(Schema.Struct({ prompt_tokens: Schema.Int }))),
})

const decodeAnswer = Schema.decodeUnknownOption(Answer)

const Embedded = Schema.Struct({
  vectors: Schema.Array(Schema.Array(Schema.Finite)),
  inputTokens: Schema.optionalKey(Schema.Int),
})

type Embedded = typeof Embedded.Type

const decodeEmbedded = Schema.decodeUnknownOption(Embedded)

const [module, method] = ["EmbeddingModel", "embedMany"]

const carried = <A, R>(effect: Effect.Effect<A, CarriedError, R>) =>
  Effect.mapError(effect, (error) => carry(error, module, method))

const damaged = AiError.make({
  module,
  method,
  reason: new AiError.InvalidResponseError({
    description:
      "the cassette's vectors are damaged: delete their line, or record them again (--cassette-mode record)",
  }),
})

const usageOf = (inputTokens: number | undefined) =>
  inputTokens === undefined
    ? undefined
    : {
        inputTokens: {
          uncached: inputTokens,
          total: inputTokens,
          cacheRead: undefined,
          cacheWrite: undefined,
        },
        outputTokens: { total: 0, text: undefined, reasoning: undefined },
      }

const batches = (texts: ReadonlyArray<string>, size: number) =>
  Array.from({ length: Math.ceil(texts.length / size) }, (_, index) =>
    texts.slice(index * size, (index + 1) * size),
  )

const makeOpenAiEmbeddings = Effect.fnUntraced(function* (options: OpenAiEmbeddingsOptions) {
  const { model, dimensions, batch = 256 } = options
  const server = yield* resolveServer(openAiVendor, options)
  const transport = yield* makeTransport(options)
  const endpoint = server.endpoint("/embeddings")
  const account = yield* accountFor({ name: "openai", model, price: server.priceOf(model) })
  const builtWith = yield* Cassette

  const ask = Effect.fnUntraced(function* (body: JsonObject, texts: ReadonlyArray<string>) {
    const tokens = estimateTokens(texts.join("\n"))
    const found = yield* postJson(transport, { endpoint, body, tokens })
    const decoded = decodeAnswer(found)
    if (Option.isNone(decoded) || decoded.value.data.length !== texts.length) {
      const shown = JSON.stringify(found) ?? "nothing"
      const expected = `${texts.length} embeddings`
      return yield* errorTold(endpoint, found) ?? rubbishProblem(endpoint, expected, shown)
    }
    const { data, usage } = decoded.value
    const vectors = data.toSorted((left, right) => left.index - right.index)
    const embedded: Embedded = {
      vectors: vectors.map(({ embedding }) => embedding),
      ...(usage ? { inputTokens: usage.prompt_tokens } : {}),
    }
    return embedded
  })

  const embed = Effect.fnUntraced(function* (texts: ReadonlyArray<string>) {
    const body = { model, input: texts, ...(dimensions === undefined ? {} : { dimensions }) }
    const nearest = yield* Cassette
    const cassette = nearest === Cassette.defaultValue() ? builtWith : nearest
    const request = toJson({ provider: "openai", kind: "embed", ...body })
    const found = yield* carried(cassette.recall(request, server.secrets))
    const work = { kind: "embed" as const, prompt: texts.join("\n"), maxTokens: 0 }
    if (found._tag === "Play") {
      const embedded = decodeEmbedded(found.response)
      if (Option.isNone(embedded)) return yield* damaged
      yield* account.replayed(work, usageOf(embedded.value.inputTokens))
      return embedded.value
    }
    const booking = yield* carried(account.begin(work))
    const embedded = yield* Effect.onExit(ask(body, texts), (exit) =>
      exit._tag === "Success" ? booking.end(usageOf(exit.value.inputTokens), "") : booking.fail,
    ).pipe(
      Effect.catchTag("HttpProblem", (problem) => Effect.fail(asAiError(module, method)(problem))),
    )
    yield* carried(found.keep(toJson(embedded)))
    return embedded
  })

  return yield* EmbeddingModel.make({
    embedMany: Effect.fnUntraced(function* ({ inputs }) {
      const all = yield* Effect.forEach(batches(inputs, batch), embed)
      const counted = all.flatMap(({ inputTokens }) => inputTokens ?? [])
      const whole = counted.length === all.length
      return {
        results: all.flatMap(({ vectors }) => vectors.map((vector) => [...vector])),
        usage: { inputTokens: whole ? counted.reduce((sum, count) => sum + count, 0) : undefined },
      }
    }),
  })
})

/**
 * An `EmbeddingModel` of a server that speaks OpenAI's API (`POST /embeddings`). Calls go through the
 * `Cassette`, the `Budget` and the `Ledger` as those of language models do.
 *
 * @example
 * ```ts
 * import { openAiEmbeddings } from "@espalier/llm"
 * import { Effect, Layer } from "effect"
 * import { EmbeddingModel } from "effect/ai"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 *
 * // Use FetchHttpClient.layer of effect/http; this one answers without a network.
 * const body = { data: [{ index: 0, embedding: [0.6, 0.8] }] }
 * const http = Layer.succeed(HttpClient.HttpClient, HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, Response.json(body)))))
 *
 * const model = openAiEmbeddings({ model: "nomic-embed-text", baseUrl: "http://localhost:11434/v1" })
 * const embedded = Effect.gen(function* () {
 *   return yield* (yield* EmbeddingModel.EmbeddingModel).embed("prices are rising")
 * }).pipe(Effect.provide(Layer.provide(model, http)))
 * console.log((await Effect.runPromise(embedded)).vector) // [ 0.6, 0.8 ]
 * ```
 */
export const openAiEmbeddings = (
  options: OpenAiEmbeddingsOptions,
): Layer.Layer<EmbeddingModel.EmbeddingModel, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(EmbeddingModel.EmbeddingModel, makeOpenAiEmbeddings(options))
