import { Effect, Schema, Stream } from "effect"
import type { Response } from "effect/ai"
import { connectionProblem, type Endpoint, type HttpProblem } from "../http/http_problem.ts"
import { finishPart, metadataPart, parseParameters } from "../parts/answer_parts.ts"
import { assembleStream } from "../parts/assemble_stream.ts"
import { brokenParameters, errorTold, finishReason, ServedUsage, servedTokens } from "./answer.ts"

type Part = Response.StreamPartEncoded

const maybe = <S extends Schema.Top>(schema: S) => Schema.optional(Schema.NullOr(schema))

const Chunk = Schema.Struct({
  id: maybe(Schema.String),
  model: maybe(Schema.String),
  choices: maybe(
    Schema.Array(
      Schema.Struct({
        finish_reason: maybe(Schema.String),
        delta: maybe(
          Schema.Struct({
            content: maybe(Schema.String),
            refusal: maybe(Schema.String),
            reasoning_content: maybe(Schema.String),
            reasoning: maybe(Schema.String),
            tool_calls: maybe(
              Schema.Array(
                Schema.Struct({
                  index: maybe(Schema.Int),
                  id: maybe(Schema.String),
                  function: maybe(
                    Schema.Struct({ name: maybe(Schema.String), arguments: maybe(Schema.String) }),
                  ),
                }),
              ),
            ),
          }),
        ),
      }),
    ),
  ),
  usage: maybe(ServedUsage),
})

type Chunk = typeof Chunk.Type
type Delta = NonNullable<NonNullable<NonNullable<Chunk["choices"]>[number]["delta"]>>

const decodeChunk = Schema.decodeUnknownOption(Chunk)

interface OpenCall {
  readonly id: string
  readonly name: string
  parameters: string
}

/** Puts the chunks of a streamed chat completion together to parts. */
const makeAssembler = (endpoint: Endpoint) => {
  let told = false
  let open: "text" | "reasoning" | undefined
  let blocks = 0
  let finished: string | undefined
  let refused = false
  let usage: Chunk["usage"]
  const calls = new Map<number, OpenCall>()

  const close = (): ReadonlyArray<Part> => {
    if (open === undefined) return []
    const type = `${open}-end` as const
    open = undefined
    return [{ type, id: String(blocks++) }]
  }
  const speak = (kind: "text" | "reasoning", delta: string): ReadonlyArray<Part> => {
    const parts: Array<Part> = []
    if (open !== kind) {
      parts.push(...close(), { type: `${kind}-start`, id: String(blocks) })
      open = kind
    }
    return [...parts, { type: `${kind}-delta`, id: String(blocks), delta }]
  }
  const callTool = (given: NonNullable<Delta["tool_calls"]>[number]): ReadonlyArray<Part> => {
    const index = given.index ?? calls.size
    const parts: Array<Part> = []
    let call = calls.get(index)
    if (call === undefined) {
      call = { id: given.id ?? `call_${index}`, name: given.function?.name ?? "", parameters: "" }
      calls.set(index, call)
      parts.push(...close(), { type: "tool-params-start", id: call.id, name: call.name })
    }
    const delta = given.function?.arguments ?? ""
    call.parameters += delta
    return delta === "" ? parts : [...parts, { type: "tool-params-delta", id: call.id, delta }]
  }

  const push = (chunk: Chunk): ReadonlyArray<Part> => {
    const parts: Array<Part> = []
    if (!told) parts.push(metadataPart(chunk.id, chunk.model))
    told = true
    if (chunk.usage) usage = chunk.usage
    const choice = chunk.choices?.[0]
    const delta = choice?.delta
    const thoughts = delta?.reasoning_content ?? delta?.reasoning
    if (thoughts) parts.push(...speak("reasoning", thoughts))
    if (delta?.refusal) refused = true
    const text = delta?.content ?? delta?.refusal
    if (text) parts.push(...speak("text", text))
    for (const given of delta?.tool_calls ?? []) parts.push(...callTool(given))
    if (choice?.finish_reason) finished = choice.finish_reason
    return parts
  }

  const end = Effect.fnUntraced(function* () {
    if (finished === undefined) {
      return yield* connectionProblem(endpoint, new Error("the stream ended before the answer did"))
    }
    const parts: Array<Part> = [...close()]
    for (const { id, name, parameters } of calls.values()) {
      const parsed = parseParameters(parameters)
      if (parsed === undefined) return yield* brokenParameters(name, parameters)
      parts.push({ type: "tool-params-end", id }, { type: "tool-call", id, name, ...parsed })
    }
    const reason = refused ? "content-filter" : finishReason(finished)
    parts.push(finishPart(reason, servedTokens(usage)))
    return parts
  })

  return { push, end }
}

/** The parts of a streamed answer. A stream that ends before its answer does is a cut connection. */
export const readStream =
  (endpoint: Endpoint) =>
  (events: Stream.Stream<string, HttpProblem>): Stream.Stream<Part, HttpProblem> =>
    assembleStream(
      endpoint,
      Stream.takeWhile(events, (event) => event.trim() !== "[DONE]"),
      {
        expected: "chunks of a chat completion",
        decode: decodeChunk,
        errorTold,
        makeAssembler: (at) => {
          const { push, end } = makeAssembler(at)
          return { push: (chunk) => Effect.sync(() => push(chunk)), end }
        },
      },
    )
