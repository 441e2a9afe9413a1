import { Effect, Option, Schema } from "effect"
import type { Response } from "effect/ai"
import {
  type Endpoint,
  type HttpProblem,
  rubbishProblem,
  toldProblem,
} from "../http/http_problem.ts"
import { answerText, finishPart, metadataPart, type ServedTokens } from "../parts/answer_parts.ts"
import type { AnswerSchema } from "../provider.ts"

/** A field that servers leave out, or set to null. */
const maybe = <S extends Schema.Top>(schema: S) => Schema.optional(Schema.NullOr(schema))

export const ServedUsage = Schema.Struct({
  input_tokens: maybe(Schema.Int),
  cache_read_input_tokens: maybe(Schema.Int),
  cache_creation_input_tokens: maybe(Schema.Int),
  output_tokens: maybe(Schema.Int),
})

const Block = Schema.Struct({
  type: Schema.String,
  text: maybe(Schema.String),
  thinking: maybe(Schema.String),
  id: maybe(Schema.String),
  name: maybe(Schema.String),
  input: Schema.optional(Schema.Json),
})

const Answer = Schema.Struct({
  id: maybe(Schema.String),
  model: maybe(Schema.String),
  content: Schema.Array(Block),
  stop_reason: maybe(Schema.String),
  usage: maybe(ServedUsage),
})

const decodeAnswer = Schema.decodeUnknownOption(Answer)

const decodeError = Schema.decodeUnknownOption(
  Schema.Struct({
    type: Schema.Literal("error"),
    error: Schema.Struct({ type: maybe(Schema.String), message: maybe(Schema.String) }),
  }),
)

const finishReasons: Readonly<Record<string, Response.FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool-calls",
  refusal: "content-filter",
  pause_turn: "pause",
}

/** Effect's word for the reason why an answer ended. */
export const finishReason = (reason: string | null | undefined): Response.FinishReason =>
  reason === null || reason === undefined ? "unknown" : (finishReasons[reason] ?? "other")

/** Token counts; the API counts what its cache read and wrote apart from the rest of the prompt. */
export const servedTokens = (usage: typeof ServedUsage.Type | null | undefined): ServedTokens => {
  const cacheRead = usage?.cache_read_input_tokens ?? undefined
  const cacheWrite = usage?.cache_creation_input_tokens ?? undefined
  const fresh = usage?.input_tokens ?? undefined
  return {
    input: fresh === undefined ? undefined : fresh + (cacheRead ?? 0) + (cacheWrite ?? 0),
    cacheRead,
    cacheWrite,
    output: usage?.output_tokens ?? undefined,
  }
}

/** The problem that a server tells in place of an answer. */
export const errorTold = (endpoint: Endpoint, found: unknown): HttpProblem | undefined =>
  Option.match(decodeError(found), {
    onNone: () => undefined,
    onSome: ({ error }) =>
      toldProblem(endpoint, { message: error.message ?? "", type: error.type ?? "" }),
  })

const partOf = (
  block: typeof Block.Type,
  index: number,
  answer: AnswerSchema | undefined,
  tool: string | undefined,
): ReadonlyArray<Response.PartEncoded> => {
  if (block.type === "text" && block.text) {
    return [{ type: "text", text: answerText(block.text, answer) }]
  }
  if (block.type === "thinking" && block.thinking) {
    return [{ type: "reasoning", text: block.thinking }]
  }
  if (block.type !== "tool_use") return []
  const name = block.name ?? ""
  // An answer that came as the parameters of a tool is an answer.
  if (name === tool) return [{ type: "text", text: JSON.stringify(block.input ?? {}) }]
  return [{ type: "tool-call", id: block.id ?? `call_${index}`, name, params: block.input ?? {} }]
}

/** The parts of a whole answer. */
export const readAnswer = Effect.fnUntraced(function* (
  endpoint: Endpoint,
  found: unknown,
  answer: AnswerSchema | undefined,
  tool: string | undefined,
) {
  const decoded = decodeAnswer(found)
  if (Option.isNone(decoded)) {
    const shown = JSON.stringify(found) ?? "nothing"
    return yield* errorTold(endpoint, found) ?? rubbishProblem(endpoint, "a message", shown)
  }
  const { id, model, content, stop_reason, usage } = decoded.value
  const reason = tool === undefined ? finishReason(stop_reason) : answeredByTool(stop_reason)
  const parts: Array<Response.PartEncoded> = [
    metadataPart(id, model),
    ...content.flatMap((block, index) => partOf(block, index, answer, tool)),
    finishPart(reason, servedTokens(usage)),
  ]
  return parts
})

/** The tool of an answer is no call that somebody has to run. */
const answeredByTool = (reason: string | null | undefined) =>
  reason === "tool_use" ? "stop" : finishReason(reason)
