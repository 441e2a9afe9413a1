import {
  extractJson,
  type Provider,
  type ProviderCall,
  type Sampling,
  samplingOf,
  schemaInstruction,
} from "@espalier/llm"
import { type CausalLM, encodeDocument, generate, type Tokenizer } from "@espalier/models"
import type { Device } from "@espalier/tensor"
import { type Context, Effect, Layer, Stream } from "effect"
import { AiError, type Response } from "effect/ai"
import type { DeviceChoice } from "../command_line/application.ts"
import { deviceLayer } from "../device.ts"
import { readModel } from "../steps/model_files.ts"
import { applyChatTemplate, type ChatTemplateName } from "./chat_template.ts"
import { makeStopTexts } from "./stop_texts.ts"

/** A model that is ready to write. */
export interface LoadedModel {
  readonly model: CausalLM
  readonly tokenizer: Tokenizer
  /** The device that its parameters are computed on. */
  readonly device: Context.Context<Device>
}

/** What a local provider answers with. */
export interface LocalProviderOptions<E, R> extends Sampling {
  /** Done at the first question, once. */
  readonly load: Effect.Effect<LoadedModel, E, R>
  /** What transcripts call the model. */
  readonly name: string
  readonly chatTemplate: ChatTemplateName
}

/** The most tokens of an answer where nothing else is said. */
const usualMaxTokens = 256

const failed = (error: { readonly message: string }) =>
  AiError.make({
    module: "LanguageModel",
    method: "generateText",
    reason: new AiError.UnknownError({ description: error.message }),
  })

const noTools = AiError.make({
  module: "LanguageModel",
  method: "generateText",
  reason: new AiError.InvalidUserInputError({
    description: "local models call no tools: ask without a toolkit, or use --provider openai",
  }),
})

const finish = (
  reason: "stop" | "length",
  tokens: { readonly input: number; readonly output: number },
): Response.FinishPartEncoded => ({
  type: "finish",
  reason,
  usage: {
    inputTokens: {
      uncached: tokens.input,
      total: tokens.input,
      cacheRead: undefined,
      cacheWrite: undefined,
    },
    outputTokens: { total: tokens.output, text: tokens.output, reasoning: undefined },
  },
})

/**
 * Loads a llama2.c checkpoint, a GGUF file or a folder in the Hugging Face layout. Model and device live
 * as long as the scope.
 */
export const loadModelFile = Effect.fnUntraced(function* (
  file: string,
  options: { readonly tokenizerFile: string | undefined; readonly device: DeviceChoice },
) {
  const { model, tokenizer } = yield* readModel(file, options.tokenizerFile)
  return { model, tokenizer, device: yield* Layer.build(deviceLayer(options.device)) }
})

/**
 * A provider that generates with this project's own models. Sampling is that of `generate`: the
 * likeliest token by default, 256 tokens at most. A schema is described in the prompt, and the first
 * JSON in the answer is taken. The model is read at the first call: a strict cassette needs none.
 */
export const makeLocalProvider = Effect.fnUntraced(function* <
  E extends { readonly message: string },
  R,
>(options: LocalProviderOptions<E, R>) {
  const services = yield* Effect.context<R>()
  const loaded = yield* options.load.pipe(
    Effect.provideContext(services),
    Effect.mapError(failed),
    Effect.cached,
  )

  const begin = Effect.fnUntraced(function* (call: ProviderCall) {
    if (call.tools.length > 0) return yield* noTools
    const { model, tokenizer, device } = yield* loaded
    const { answer, sampling } = call
    const { prompt } = call.options
    const asked = answer === undefined ? prompt : schemaInstruction(prompt, answer)
    const templated = yield* Effect.fromResult(applyChatTemplate(asked, options.chatTemplate))
    const tokens = encodeDocument(tokenizer, templated.text)
    const most = sampling.maxTokens ?? usualMaxTokens
    const end = [tokenizer.begin, tokenizer.end].filter((token) => token !== undefined)
    const generated = generate(model, tokens, {
      tokens: most,
      temperature: sampling.temperature ?? 0,
      topP: sampling.topP ?? 1,
      seed: sampling.seed ?? 0,
      stop: end,
    }).pipe(Stream.provideContext(device), Stream.mapError(failed))
    const stops = makeStopTexts([...templated.stop, ...(sampling.stop ?? [])])
    return { tokenizer, generated, stops, most, input: tokens.length }
  })

  const stream = (call: ProviderCall) =>
    Stream.unwrap(
      Effect.map(begin(call), ({ tokenizer, generated, stops, most, input }) => {
        const decoder = tokenizer.decoder()
        let output = 0
        const delta = (text: string): ReadonlyArray<Response.StreamPartEncoded> =>
          text === "" ? [] : [{ type: "text-delta", id: "0", delta: text }]
        const start: ReadonlyArray<Response.StreamPartEncoded> = [{ type: "text-start", id: "0" }]
        const end = Effect.sync((): ReadonlyArray<Response.StreamPartEncoded> => {
          const rest = stops.push(decoder.flush()) + stops.flush()
          const reason = output >= most && !stops.stopped() ? "length" : "stop"
          return [...delta(rest), { type: "text-end", id: "0" }, finish(reason, { input, output })]
        })
        const deltas = generated.pipe(
          Stream.map((token) => {
            output++
            return delta(stops.push(decoder.push(token)))
          }),
          Stream.takeUntil(() => stops.stopped()),
        )
        return Stream.make(start).pipe(
          Stream.concat(deltas),
          Stream.concat(Stream.fromEffect(end)),
          Stream.flattenIterable,
        )
      }),
    )

  const generateWhole = (call: ProviderCall) =>
    Effect.map(Stream.runCollect(stream(call)), (parts) => {
      const text = parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("")
      const answered: Array<Response.PartEncoded> = [
        { type: "text", text: call.answer === undefined ? text.trim() : extractJson(text) },
      ]
      return answered.concat(parts.filter((part) => part.type === "finish"))
    })

  const provider: Provider = {
    name: `local, ${options.chatTemplate}`,
    model: options.name,
    // All that decides an answer, so that a transcript's key holds it.
    sampling: { temperature: 0, seed: 0, maxTokens: usualMaxTokens, ...samplingOf(options) },
    secrets: [],
    price: "free",
    generate: generateWhole,
    stream,
  }
  return provider
})
