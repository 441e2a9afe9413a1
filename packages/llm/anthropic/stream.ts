import { Effect, Schema, type Stream } from "effect"
import type { Response } from "effect/ai"
import { connectionProblem, type Endpoint, type HttpProblem } from "../http/http_problem.ts"
import { finishPart, metadataPart, parseParameters } from "../parts/answer_parts.ts"
import { assembleStream } from "../parts/assemble_stream.ts"
import { brokenParameters } from "../openai/answer.ts"
import { errorTold, finishReason, ServedUsage, servedTokens } from "./answer.ts"

type Part = Response.StreamPartEncoded

const maybe = <S extends Schema.Top>(schema: S) => Schema.optional(Schema.NullOr(schema))

const Event = Schema.Struct({
  type: Schema.String,
  index: maybe(Schema.Int),
  message: maybe(
    Schema.Struct({
      id: maybe(Schema.String),
      model: maybe(Schema.String),
      usage: maybe(ServedUsage),
    }),
  ),
  content_block: maybe(
    Schema.Struct({
      type: Schema.String,
      id: maybe(Schema.String),
      name: maybe(Schema.String),
      text: maybe(Schema.String),
    }),
  ),
  delta: maybe(
    Schema.Struct({
      type: maybe(Schema.String),
      text: maybe(Schema.String),
      thinking: maybe(Schema.String),
      partial_json: maybe(Schema.String),
      stop_reason: maybe(Schema.String),
    }),
  ),
  usage: maybe(ServedUsage),
})

type Event = typeof Event.Type

const decodeEvent = Schema.decodeUnknownOption(Event)

type Block =
  | { readonly type: "text" | "reasoning" }
  | { readonly type: "tool"; readonly id: string; readonly name: string; parameters: string }
  | { readonly type: "other" }

/** What later events say of tokens goes over what earlier ones said. */
const laterUsage = (earlier: Event["usage"], later: Event["usage"]): Event["usage"] => {
  const said = Object.entries(later ?? {}).filter(
    ([, count]) => count !== null && count !== undefined,
  )
  return { ...earlier, ...Object.fromEntries(said) }
}

/** Puts the events of a streamed message together to parts. */
const makeAssembler = (endpoint: Endpoint) => {
  const blocks = new Map<number, Block>()
  let usage: Event["usage"]
  let stopReason: string | undefined
  let complete = false

  const start = (
    index: number,
    given: NonNullable<Event["content_block"]>,
  ): ReadonlyArray<Part> => {
    const id = String(index)
    if (given.type === "text") {
      blocks.set(index, { type: "text" })
      const first: ReadonlyArray<Part> = given.text
        ? [{ type: "text-delta", id, delta: given.text }]
        : []
      return [{ type: "text-start", id }, ...first]
    }
    if (given.type === "thinking") {
      blocks.set(index, { type: "reasoning" })
      return [{ type: "reasoning-start", id }]
    }
    if (given.type !== "tool_use") {
      blocks.set(index, { type: "other" })
      return []
    }
    const call = { id: given.id ?? `call_${index}`, name: given.name ?? "" }
    blocks.set(index, { type: "tool", ...call, parameters: "" })
    return [{ type: "tool-params-start", ...call }]
  }

  const extend = (index: number, delta: NonNullable<Event["delta"]>): ReadonlyArray<Part> => {
    const block = blocks.get(index)
    if (block?.type === "tool" && delta.partial_json) {
      block.parameters += delta.partial_json
      return [{ type: "tool-params-delta", id: block.id, delta: delta.partial_json }]
    }
    const id = String(index)
    if (block?.type === "text" && delta.text) return [{ type: "text-delta", id, delta: delta.text }]
    if (block?.type === "reasoning" && delta.thinking) {
      return [{ type: "reasoning-delta", id, delta: delta.thinking }]
    }
    return []
  }

  const stop = Effect.fnUntraced(function* (index: number) {
    const block = blocks.get(index)
    const none: ReadonlyArray<Part> = []
    if (block === undefined || block.type === "other") return none
    if (block.type !== "tool") {
      const ended: ReadonlyArray<Part> = [{ type: `${block.type}-end`, id: String(index) }]
      return ended
    }
    const { id, name, parameters } = block
    const parsed = parseParameters(parameters)
    if (parsed === undefined) return yield* brokenParameters(name, parameters)
    const called: ReadonlyArray<Part> = [
      { type: "tool-params-end", id },
      { type: "tool-call", id, name, ...parsed },
    ]
    return called
  })

  const push = (event: Event): Effect.Effect<ReadonlyArray<Part>, HttpProblem> => {
    const index = event.index ?? 0
    if (event.message?.usage) usage = laterUsage(usage, event.message.usage)
    if (event.usage) usage = laterUsage(usage, event.usage)
    if (event.delta?.stop_reason) stopReason = event.delta.stop_reason
    if (event.type === "message_start") {
      return Effect.succeed([metadataPart(event.message?.id, event.message?.model)])
    }
    if (event.type === "content_block_start" && event.content_block) {
      return Effect.succeed(start(index, event.content_block))
    }
    if (event.type === "content_block_delta" && event.delta) {
      return Effect.succeed(extend(index, event.delta))
    }
    if (event.type === "content_block_stop") return stop(index)
    if (event.type === "message_stop") complete = true
    return Effect.succeed([])
  }

  const end = Effect.fnUntraced(function* () {
    if (!complete) {
      return yield* connectionProblem(endpoint, new Error("the stream ended before the answer did"))
    }
    const parts: ReadonlyArray<Part> = [finishPart(finishReason(stopReason), servedTokens(usage))]
    return parts
  })

  return { push, end }
}

/** The parts of a streamed message. A stream that ends before its message does is a cut connection. */
export const readStream =
  (endpoint: Endpoint) =>
  (events: Stream.Stream<string, HttpProblem>): Stream.Stream<Part, HttpProblem> =>
    assembleStream(endpoint, events, {
      expected: "events of a message",
      decode: decodeEvent,
      errorTold,
      makeAssembler,
    })
