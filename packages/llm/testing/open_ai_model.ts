import { Effect, Layer, Redacted, Stream } from "effect"
import { type AiError, LanguageModel } from "effect/ai"
import { FetchHttpClient } from "effect/http"
import { openAi, type OpenAiOptions } from "../openai/openai.ts"
import type { LoopbackServer } from "./loopback_server.ts"

export const key = Redacted.make("sk-test-0123456789abcdef")

/** A model of a server that answers with these replies; waits between attempts are short. */
export const model = (server: LoopbackServer, options: Partial<OpenAiOptions> = {}) =>
  openAi({
    model: "m",
    baseUrl: `${server.url}/v1`,
    apiKey: key,
    firstDelay: 5,
    ...options,
  }).pipe(Layer.provide(FetchHttpClient.layer), Layer.orDie)

export const ask = (server: LoopbackServer, options?: Partial<OpenAiOptions>) =>
  LanguageModel.generateText({ prompt: "Hello" }).pipe(Effect.provide(model(server, options)))

export const askStream = (server: LoopbackServer, options?: Partial<OpenAiOptions>) =>
  LanguageModel.streamText({ prompt: "Hello" }).pipe(
    Stream.provide(model(server, options)),
    Stream.runCollect,
  )

export const deltas = (parts: ReadonlyArray<{ readonly type: string; readonly delta?: string }>) =>
  parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("")

export const reasonOf = (error: AiError.AiError) => error.reason._tag
