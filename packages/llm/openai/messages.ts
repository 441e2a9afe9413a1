import { Effect } from "effect"
import { AiError, Prompt } from "effect/ai"
import { type Json, type JsonObject, toJson } from "../canonical_json.ts"
import { fileContent } from "../parts/file_content.ts"

const unsupported = (description: string) =>
  AiError.make({
    module: "LanguageModel",
    method: "generateText",
    reason: new AiError.InvalidUserInputError({ description }),
  })

const userPart = (part: Prompt.UserMessagePart): Effect.Effect<JsonObject, AiError.AiError> => {
  if (part.type === "text") return Effect.succeed({ type: "text", text: part.text })
  if (!part.mediaType.startsWith("image/")) {
    return Effect.fail(
      unsupported(`Chat completions take images, not ${part.mediaType}: send its text instead`),
    )
  }
  const content = fileContent(part)
  const type = part.mediaType === "image/*" ? "image/jpeg" : part.mediaType
  const url = content._tag === "Url" ? content.url : `data:${type};base64,${content.data}`
  return Effect.succeed({ type: "image_url", image_url: { url } })
}

const userMessage = Effect.fnUntraced(function* (message: Prompt.UserMessage) {
  // A plain text is what the simplest servers understand.
  if (message.content.every((part) => part.type === "text")) {
    return { role: "user", content: message.content.map((part) => part.text).join("\n") }
  }
  return { role: "user", content: yield* Effect.forEach(message.content, userPart) }
})

const assistantMessage = (message: Prompt.AssistantMessage): JsonObject => {
  const texts = message.content.flatMap((part) => (part.type === "text" ? [part.text] : []))
  const calls = message.content.flatMap((part) =>
    part.type === "tool-call" && !part.providerExecuted
      ? [
          {
            id: part.id,
            type: "function",
            function: { name: part.name, arguments: JSON.stringify(part.params) ?? "{}" },
          },
        ]
      : [],
  )
  return {
    role: "assistant",
    content: texts.length === 0 && calls.length > 0 ? null : texts.join(""),
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  }
}

/** What a tool gave, as the text that a model reads. */
export const toolResultText = (part: Prompt.ToolResultPart): string => {
  if (part.modelOutput !== undefined) return Prompt.toolModelOutputToText(part.modelOutput)
  return typeof part.result === "string" ? part.result : JSON.stringify(toJson(part.result))
}

const toolMessages = (message: Prompt.ToolMessage): ReadonlyArray<JsonObject> =>
  message.content.flatMap((part) =>
    part.type === "tool-result"
      ? [{ role: "tool", tool_call_id: part.id, content: toolResultText(part) }]
      : [],
  )

/** A prompt as the messages of a chat completion. Thoughts of earlier answers are not sent back. */
export const toMessages = (
  prompt: Prompt.Prompt,
): Effect.Effect<ReadonlyArray<Json>, AiError.AiError> =>
  Effect.map(
    Effect.forEach(
      prompt.content,
      (message): Effect.Effect<ReadonlyArray<Json>, AiError.AiError> => {
        switch (message.role) {
          case "system":
            return Effect.succeed([{ role: "system", content: message.content }])
          case "user":
            return Effect.map(userMessage(message), (sent) => [sent])
          case "assistant":
            return Effect.succeed([assistantMessage(message)])
          case "tool":
            return Effect.succeed(toolMessages(message))
        }
      },
    ),
    (messages) => messages.flat(),
  )
