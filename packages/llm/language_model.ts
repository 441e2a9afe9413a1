import { Effect, Layer, Option, Schema, type Scope, Stream } from "effect"
import { AiError, LanguageModel, Response } from "effect/ai"
import { Cassette, type CassetteService } from "./cassette/cassette.ts"
import { type Json, toJson } from "./canonical_json.ts"
import { scrubDeltas } from "./cassette/scrub_deltas.ts"
import { describeCall, makeProviderCall, promptText } from "./provider_call.ts"
import type { Provider, ProviderCall } from "./provider.ts"
import { accountFor } from "./spending/account_for.ts"
import { type CarriedError, carry } from "./typed_errors.ts"

type Kind = "generate" | "stream"

/** What a served answer says of itself: recorded parts are checked like any other file from outside. */
const decodeParts = Schema.decodeUnknownOption(
  Schema.Array(Schema.toEncoded(Schema.toCodecJson(Response.AllParts()))),
)

const damaged = (method: string) =>
  AiError.make({
    module: "LanguageModel",
    method,
    reason: new AiError.InvalidResponseError({
      description:
        "the cassette's answer is damaged: delete its line, or record it again (--cassette-mode record)",
    }),
  })

const played = (response: Json, method: string) =>
  Option.match(decodeParts(response), {
    onNone: () => Effect.fail(damaged(method)),
    onSome: () => Effect.succeed(response),
  })

const carried =
  (method: string) =>
  <A, R>(effect: Effect.Effect<A, CarriedError, R>): Effect.Effect<A, AiError.AiError, R> =>
    Effect.mapError(effect, (error) => carry(error, "LanguageModel", method))

/** The text that a part brings, for estimates of tokens where a server does not count. */
const textOf = (part: Response.PartEncoded | Response.StreamPartEncoded): string => {
  if (part.type === "text" || part.type === "reasoning") return part.text
  if (part.type === "text-delta" || part.type === "reasoning-delta") return part.delta
  if (part.type === "tool-call") return JSON.stringify(part.params) ?? ""
  return ""
}

const isFinish = (part: { readonly type: string }): part is Response.FinishPartEncoded =>
  part.type === "finish"

/**
 * Makes Effect's `LanguageModel` of a provider. Each call goes through the `Cassette`, then the
 * `Budget`, then to the provider, and into the `Ledger`; all three are found where the call is made,
 * else where the model was made.
 */
export const makeLanguageModel = Effect.fnUntraced(function* (provider: Provider) {
  const builtWith = yield* Cassette
  const account = yield* accountFor(provider)

  /** The cassette of the call, else that of the layer. */
  const recall = Effect.fnUntraced(function* (kind: Kind, call: ProviderCall) {
    const nearest: CassetteService = yield* Cassette
    const untouched = nearest === Cassette.defaultValue()
    const cassette = untouched ? builtWith : nearest
    return yield* cassette.recall(describeCall(provider, kind, call), provider.secrets)
  })

  const planned = (kind: Kind, call: ProviderCall) => ({
    kind,
    prompt: promptText(call.options.prompt),
    maxTokens: call.sampling.maxTokens,
  })

  const generateText = Effect.fnUntraced(function* (options: LanguageModel.ProviderOptions) {
    const method = options.responseFormat.type === "json" ? "generateObject" : "generateText"
    const call = yield* makeProviderCall(provider, options)
    const found = yield* carried(method)(recall("generate", call))
    if (found._tag === "Play") {
      const parts = (yield* played(
        found.response,
        method,
      )) as unknown as Array<Response.PartEncoded>
      yield* account.replayed(planned("generate", call), parts.find(isFinish)?.usage)
      return parts
    }
    const booking = yield* carried(method)(account.begin(planned("generate", call)))
    const parts = yield* Effect.onExit(provider.generate(call), (exit) =>
      exit._tag === "Success"
        ? booking.end(exit.value.find(isFinish)?.usage, exit.value.map(textOf).join(""))
        : booking.fail,
    )
    yield* carried(method)(found.keep(toJson(parts)))
    return parts
  })

  const liveStream = (
    call: ProviderCall,
    keep: (response: Json) => Effect.Effect<void, AiError.AiError>,
  ) =>
    Stream.unwrap(
      Effect.map(carried("streamText")(account.begin(planned("stream", call))), (booking) => {
        const parts: Array<Response.StreamPartEncoded> = []
        const usage = () => parts.find(isFinish)?.usage
        return provider.stream(call).pipe(
          Stream.tap((part) => Effect.sync(() => void parts.push(part))),
          // What a broken or abandoned stream has used is booked all the same.
          Stream.onExit(() =>
            parts.length === 0 ? booking.fail : booking.end(usage(), parts.map(textOf).join("")),
          ),
          Stream.concat(
            Stream.drain(
              Stream.fromEffect(
                Effect.suspend(() => keep(toJson(scrubDeltas(parts, provider.secrets)))),
              ),
            ),
          ),
        )
      }),
    )

  const streamText = (options: LanguageModel.ProviderOptions) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const call = yield* makeProviderCall(provider, options)
        const found = yield* carried("streamText")(recall("stream", call))
        if (found._tag === "Ask") {
          return liveStream(call, (response) => carried("streamText")(found.keep(response)))
        }
        const parts = (yield* played(
          found.response,
          "streamText",
        )) as unknown as Array<Response.StreamPartEncoded>
        yield* account.replayed(planned("stream", call), parts.find(isFinish)?.usage)
        return Stream.fromIterable(parts)
      }),
    )

  const { codecTransformer } = provider
  return yield* LanguageModel.make({
    generateText,
    streamText,
    ...(codecTransformer === undefined ? {} : { codecTransformer }),
  })
})

/**
 * A layer with the `LanguageModel` of a provider.
 *
 * Use it for a provider of your own; `openAi`, `anthropic` and `scriptedLanguageModel` are made with it.
 */
export const languageModelLayer = <E, R>(
  provider: Effect.Effect<Provider, E, R>,
): Layer.Layer<LanguageModel.LanguageModel, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(LanguageModel.LanguageModel, Effect.flatMap(provider, makeLanguageModel))
