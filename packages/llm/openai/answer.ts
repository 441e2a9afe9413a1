import { Effect, Option, Schema } from "effect"
import { AiError, type Response } from "effect/ai"
import { type Endpoint, HttpProblem, rubbishProblem, toldProblem } from "../http/http_problem.ts"
import {
  answerText,
  finishPart,
  metadataPart,
  parseParameters,
  type ServedTokens,
} from "../parts/answer_parts.ts"
import type { AnswerSchema } from "../provider.ts"

/** A field that servers leave out, or set to null. */
const maybe = <S extends Schema.Top>(schema: S) => Schema.optional(Schema.NullOr(schema))

export const ServedUsage = Schema.Struct({
  prompt_tokens: maybe(Schema.Int),
  completion_tokens: maybe(Schema.Int),
  prompt_tokens_details: maybe(Schema.Struct({ cached_tokens: maybe(Schema.Int) })),
  completion_tokens_details: maybe(Schema.Struct({ reasoning_tokens: maybe(Schema.Int) })),
})

export const ServedError = Schema.Struct({
  error: Schema.Union([
    Schema.String,
    Schema.Struct({
      message: maybe(Schema.String),
      type: maybe(Schema.String),
      code: maybe(Schema.Union([Schema.String, Schema.Finite])),
    }),
  ]),
})

const Answer = Schema.Struct({
  id: maybe(Schema.String),
  model: maybe(Schema.String),
  choices: Schema.NonEmptyArray(
    Schema.Struct({
      finish_reason: maybe(Schema.String),
      message: Schema.Struct({
        content: maybe(Schema.String),
        refusal: maybe(Schema.String),
        // What vLLM, DeepSeek and Ollama call the thoughts before the answer.
        reasoning_content: maybe(Schema.String),
        reasoning: maybe(Schema.String),
        tool_calls: maybe(
          Schema.Array(
            Schema.Struct({
              id: maybe(Schema.String),
              function: Schema.Struct({ name: Schema.String, arguments: maybe(Schema.String) }),
            }),
          ),
        ),
      }),
    }),
  ),
  usage: maybe(ServedUsage),
})

const decodeAnswer = Schema.decodeUnknownOption(Answer)
const decodeError = Schema.decodeUnknownOption(ServedError)

const finishReasons: Readonly<Record<string, Response.FinishReason>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
}

/** Effect's word for the reason why an answer ended. */
export const finishReason = (reason: string | null | undefined): Response.FinishReason =>
  reason === null || reason === undefined ? "unknown" : (finishReasons[reason] ?? "other")

/** Token counts as the server gives them. */
export const servedTokens = (usage: typeof ServedUsage.Type | null | undefined): ServedTokens => ({
  input: usage?.prompt_tokens ?? undefined,
  output: usage?.completion_tokens ?? undefined,
  cacheRead: usage?.prompt_tokens_details?.cached_tokens ?? undefined,
  reasoning: usage?.completion_tokens_details?.reasoning_tokens ?? undefined,
})

/** The problem that a server tells in place of an answer. */
export const errorTold = (endpoint: Endpoint, found: unknown): HttpProblem | undefined =>
  Option.match(decodeError(found), {
    onNone: () => undefined,
    onSome: ({ error }) =>
      typeof error === "string"
        ? toldProblem(endpoint, { message: error, type: "error" })
        : toldProblem(endpoint, {
            message: error.message ?? "",
            type: `${error.type ?? ""} ${error.code ?? ""}`,
          }),
  })

/** The model called a tool with parameters that are no JSON: not the request's fault, nor repairable. */
export const brokenParameters = (tool: string, found: string): HttpProblem =>
  new HttpProblem({
    reason: new AiError.InvalidOutputError({
      description: `the model called ${tool} with parameters that are no JSON: ${found.slice(0, 200)}. Ask again, or use a larger model`,
    }),
    retryable: false,
  })

/** The parts of a whole answer. */
export const readAnswer = Effect.fnUntraced(function* (
  endpoint: Endpoint,
  found: unknown,
  answer: AnswerSchema | undefined,
) {
  const decoded = decodeAnswer(found)
  if (Option.isNone(decoded)) {
    const shown = JSON.stringify(found) ?? "nothing"
    return yield* errorTold(endpoint, found) ?? rubbishProblem(endpoint, "a chat completion", shown)
  }
  const { id, model, choices, usage } = decoded.value
  const [{ message, finish_reason }] = choices
  const parts: Array<Response.PartEncoded> = [metadataPart(id, model)]
  const thoughts = message.reasoning_content ?? message.reasoning
  if (thoughts) parts.push({ type: "reasoning", text: thoughts })
  const text = message.content ?? message.refusal
  if (text) parts.push({ type: "text", text: answerText(text, answer) })
  for (const [index, call] of (message.tool_calls ?? []).entries()) {
    const { name, arguments: given } = call.function
    const parsed = parseParameters(given ?? "")
    if (parsed === undefined) return yield* brokenParameters(name, given ?? "")
    parts.push({ type: "tool-call", id: call.id ?? `call_${index}`, name, ...parsed })
  }
  const reason = message.refusal ? "content-filter" : finishReason(finish_reason)
  parts.push(finishPart(reason, servedTokens(usage)))
  return parts
})
