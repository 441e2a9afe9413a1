import { Effect } from "effect"
import type { LanguageModel } from "effect/ai"
import type { JsonObject } from "../canonical_json.ts"
import type { ProviderCall } from "../provider.ts"
import type { Sampling } from "../sampling.ts"
import { toTurns } from "./messages.ts"

/**
 * How the server is told the schema of an answer: `output_config` constrains the answer to it; `tool`
 * makes the answer the parameters of a tool that must be called, for models that know no other way.
 */
export type AnthropicStructuredOutputMode = "output_config" | "tool"

/** The most tokens of an answer where nothing else is said: the API wants a number. */
export const usualMaxTokens = 4096

const samplingFields = (sampling: Sampling): JsonObject => ({
  max_tokens: sampling.maxTokens ?? usualMaxTokens,
  ...(sampling.temperature === undefined ? {} : { temperature: sampling.temperature }),
  ...(sampling.topP === undefined ? {} : { top_p: sampling.topP }),
  ...(sampling.stop === undefined ? {} : { stop_sequences: sampling.stop }),
})

const toolChoice = (choice: LanguageModel.ToolChoice<string>): JsonObject => {
  if (choice === "auto" || choice === "none") return { type: choice }
  if (choice === "required") return { type: "any" }
  if ("tool" in choice) return { type: "tool", name: choice.tool }
  return { type: choice.mode === "required" ? "any" : "auto" }
}

const toolFields = ({ tools, options }: ProviderCall): JsonObject =>
  tools.length === 0
    ? {}
    : {
        tools: tools.map(({ name, description, parameters }) => ({
          name,
          ...(description === undefined ? {} : { description }),
          input_schema: parameters,
        })),
        tool_choice: toolChoice(options.toolChoice),
      }

/** The name of the tool that takes an answer, if answers come that way. */
export const answerTool = (
  call: ProviderCall,
  mode: AnthropicStructuredOutputMode,
): string | undefined =>
  call.answer === undefined || mode === "output_config"
    ? undefined
    : call.answer.name.replaceAll(/[^\w-]/g, "_").slice(0, 64)

const answerFields = (call: ProviderCall, mode: AnthropicStructuredOutputMode): JsonObject => {
  if (call.answer === undefined) return {}
  const { schema } = call.answer
  const name = answerTool(call, mode)
  if (name === undefined) return { output_config: { format: { type: "json_schema", schema } } }
  const description = "Takes your answer. Call it once."
  return {
    tools: [{ name, description, input_schema: schema }],
    tool_choice: { type: "tool", name },
  }
}

/** The body of a request for a message. */
export const makeRequest = Effect.fnUntraced(function* (
  call: ProviderCall,
  form: {
    readonly model: string
    readonly mode: AnthropicStructuredOutputMode
    readonly stream: boolean
  },
) {
  const { system, messages } = yield* toTurns(call.options.prompt)
  const body: JsonObject = {
    model: form.model,
    ...(system === "" ? {} : { system }),
    messages,
    ...samplingFields(call.sampling),
    ...toolFields(call),
    ...answerFields(call, form.mode),
    ...(form.stream ? { stream: true } : {}),
  }
  return body
})
