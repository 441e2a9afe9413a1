import { Effect, Schema } from "effect"
import { AiError, LanguageModel, Prompt, Tool } from "effect/ai"
import { type Json, type JsonObject, toJson } from "./canonical_json.ts"
import type { AnswerSchema, Provider, ProviderCall, ToolDescription } from "./provider.ts"
import { SamplingOverrides } from "./sampling.ts"

/** JSON Schemas are JSON objects. */
const asJsonObject = (schema: unknown): JsonObject => toJson(schema) as JsonObject

const describeTool = (tool: Tool.Any): Effect.Effect<ToolDescription, AiError.AiError> =>
  Tool.isProviderDefined(tool)
    ? Effect.fail(
        AiError.make({
          module: "LanguageModel",
          method: "generateText",
          reason: new AiError.ToolConfigurationError({
            toolName: tool.name,
            description: "a server's own tools are not supported; define it with Tool.make",
          }),
        }),
      )
    : Effect.succeed({
        name: tool.name,
        description: Tool.getDescription(tool),
        parameters: asJsonObject(Tool.getJsonSchema(tool)),
      })

const answerSchema = (
  provider: Provider,
  { responseFormat }: LanguageModel.ProviderOptions,
): Effect.Effect<AnswerSchema | undefined, AiError.AiError> => {
  if (responseFormat.type === "text") return Effect.succeed(undefined)
  const transform = provider.codecTransformer ?? LanguageModel.defaultCodecTransformer
  return Effect.try({
    try: () => ({
      name: responseFormat.objectName,
      schema: asJsonObject(transform(responseFormat.schema).jsonSchema),
    }),
    catch: (cause) =>
      AiError.make({
        module: "LanguageModel",
        method: "generateObject",
        reason: new AiError.UnsupportedSchemaError({
          description: `${cause instanceof Error ? cause.message : String(cause)}. Use a Schema.Struct at the root`,
        }),
      }),
  })
}

/** The call that a provider is to answer. */
export const makeProviderCall = Effect.fnUntraced(function* (
  provider: Provider,
  options: LanguageModel.ProviderOptions,
) {
  const call: ProviderCall = {
    options,
    sampling: { ...provider.sampling, ...(yield* SamplingOverrides) },
    tools: yield* Effect.forEach(options.tools, describeTool),
    answer: yield* answerSchema(provider, options),
  }
  return call
})

const encodePrompt = Schema.encodeSync(Schema.toCodecJson(Prompt.Prompt))

/**
 * All that decides the answer to a call, as JSON: provider, model, sampling settings, prompt, tools
 * and schema. Where the server stands is not part of it, and no header is.
 */
export const describeCall = (
  provider: Provider,
  kind: "generate" | "stream",
  { options, sampling, tools, answer }: ProviderCall,
): Json =>
  toJson({
    provider: provider.name,
    model: provider.model,
    kind,
    sampling,
    prompt: encodePrompt(options.prompt),
    tools,
    toolChoice: tools.length === 0 ? "none" : options.toolChoice,
    answer: answer ?? null,
  })

/** All text of a prompt, in order. */
export const promptText = (prompt: Prompt.Prompt): string => {
  const texts: Array<string> = []
  for (const message of prompt.content) {
    if (message.role === "system") {
      texts.push(message.content)
      continue
    }
    for (const part of message.content) {
      if (part.type === "text" || part.type === "reasoning") texts.push(part.text)
      if (part.type === "tool-call") texts.push(JSON.stringify(part.params) ?? "")
      if (part.type === "tool-result") texts.push(JSON.stringify(part.result) ?? "")
    }
  }
  return texts.join("\n")
}
