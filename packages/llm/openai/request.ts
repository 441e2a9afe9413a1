import { Effect } from "effect"
import type { LanguageModel } from "effect/ai"
import type { Json, JsonObject } from "../canonical_json.ts"
import { schemaInstruction } from "../parts/schema_instruction.ts"
import type { AnswerSchema, ProviderCall } from "../provider.ts"
import type { Sampling } from "../sampling.ts"
import { toMessages } from "./messages.ts"

/**
 * How a server is told the schema of an answer: `json_schema` constrains the answer to it;
 * `json_object` constrains it to JSON and describes the schema in the prompt; `prompt` only describes.
 */
export type StructuredOutput = "json_schema" | "json_object" | "prompt"

/** What decides the form of a request besides the call. */
export interface RequestForm {
  readonly model: string
  readonly maxTokensField: "max_tokens" | "max_completion_tokens"
  readonly structuredOutput: StructuredOutput
  readonly stream: boolean
}

const samplingFields = (sampling: Sampling, maxTokensField: string): JsonObject => ({
  ...(sampling.temperature === undefined ? {} : { temperature: sampling.temperature }),
  ...(sampling.topP === undefined ? {} : { top_p: sampling.topP }),
  ...(sampling.maxTokens === undefined ? {} : { [maxTokensField]: sampling.maxTokens }),
  ...(sampling.seed === undefined ? {} : { seed: sampling.seed }),
  ...(sampling.stop === undefined ? {} : { stop: sampling.stop }),
})

const toolChoice = (choice: LanguageModel.ToolChoice<string>): Json => {
  if (typeof choice === "string") return choice
  if ("tool" in choice) return { type: "function", function: { name: choice.tool } }
  return choice.mode ?? "auto"
}

const toolFields = ({ tools, options }: ProviderCall): JsonObject =>
  tools.length === 0
    ? {}
    : {
        tools: tools.map(({ name, description, parameters }) => ({
          type: "function",
          function: { name, ...(description === undefined ? {} : { description }), parameters },
        })),
        tool_choice: toolChoice(options.toolChoice),
      }

// The server takes letters, digits, underscores and dashes, 64 at most.
const nameForServer = (name: string) => name.replaceAll(/[^\w-]/g, "_").slice(0, 64)

const responseFormat = (answer: AnswerSchema | undefined, form: RequestForm): JsonObject => {
  if (answer === undefined || form.structuredOutput === "prompt") return {}
  if (form.structuredOutput === "json_object") return { response_format: { type: "json_object" } }
  const json_schema = { name: nameForServer(answer.name), strict: true, schema: answer.schema }
  return { response_format: { type: "json_schema", json_schema } }
}

/** The body of a chat completion's request. */
export const makeRequest = Effect.fnUntraced(function* (call: ProviderCall, form: RequestForm) {
  const { answer, options, sampling } = call
  const described = answer !== undefined && form.structuredOutput !== "json_schema"
  const messages = yield* toMessages(
    described ? schemaInstruction(options.prompt, answer) : options.prompt,
  )
  const body: JsonObject = {
    model: form.model,
    messages,
    ...samplingFields(sampling, form.maxTokensField),
    ...toolFields(call),
    ...responseFormat(answer, form),
    ...(form.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  }
  return body
})
