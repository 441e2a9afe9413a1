import { Effect } from "effect"
import { AiError, type Prompt } from "effect/ai"
import type { Json, JsonObject } from "../canonical_json.ts"
import { toolResultText } from "../openai/messages.ts"
import { fileContent } from "../parts/file_content.ts"

type Role = "user" | "assistant"

interface Turn {
  readonly role: Role
  readonly content: ReadonlyArray<JsonObject>
}

const unsupported = (description: string) =>
  AiError.make({
    module: "LanguageModel",
    method: "generateText",
    reason: new AiError.InvalidUserInputError({ description }),
  })

const userPart = (part: Prompt.UserMessagePart): Effect.Effect<JsonObject, AiError.AiError> => {
  if (part.type === "text") return Effect.succeed({ type: "text", text: part.text })
  const isImage = part.mediaType.startsWith("image/")
  if (!isImage && part.mediaType !== "application/pdf") {
    return Effect.fail(
      unsupported(`Messages take images and PDF, not ${part.mediaType}: send its text instead`),
    )
  }
  const content = fileContent(part)
  const media_type = part.mediaType === "image/*" ? "image/jpeg" : part.mediaType
  const source: JsonObject =
    content._tag === "Url"
      ? { type: "url", url: content.url }
      : { type: "base64", media_type, data: content.data }
  return Effect.succeed({ type: isImage ? "image" : "document", source })
}

const assistantParts = (message: Prompt.AssistantMessage): ReadonlyArray<JsonObject> =>
  message.content.flatMap((part): ReadonlyArray<JsonObject> => {
    if (part.type === "text" && part.text !== "") return [{ type: "text", text: part.text }]
    if (part.type !== "tool-call" || part.providerExecuted) return []
    const input = part.params as Json
    return [{ type: "tool_use", id: part.id, name: part.name, input }]
  })

const toolParts = (message: Prompt.ToolMessage): ReadonlyArray<JsonObject> =>
  message.content.flatMap((part) =>
    part.type === "tool-result"
      ? [
          {
            type: "tool_result",
            tool_use_id: part.id,
            content: toolResultText(part),
            ...(part.isFailure ? { is_error: true } : {}),
          },
        ]
      : [],
  )

const turnOf = (
  message: Exclude<Prompt.Message, Prompt.SystemMessage>,
): Effect.Effect<Turn, AiError.AiError> => {
  switch (message.role) {
    case "user":
      return Effect.map(Effect.forEach(message.content, userPart), (content) => ({
        role: "user",
        content,
      }))
    case "assistant":
      return Effect.succeed({ role: "assistant", content: assistantParts(message) })
    case "tool":
      return Effect.succeed({ role: "user", content: toolParts(message) })
  }
}

/** Neighbours of one role are one turn: the API wants roles to alternate. */
const joinTurns = (turns: ReadonlyArray<Turn>): ReadonlyArray<Turn> => {
  const joined: Array<Turn> = []
  for (const turn of turns) {
    const last = joined.at(-1)
    if (turn.content.length === 0) continue
    if (last?.role === turn.role) {
      joined[joined.length - 1] = { ...last, content: [...last.content, ...turn.content] }
    } else joined.push(turn)
  }
  return joined
}

/** A prompt as the API takes it: system text apart, roles in turns. Earlier thoughts are not sent back. */
export const toTurns = Effect.fnUntraced(function* (prompt: Prompt.Prompt) {
  const system = prompt.content.flatMap((message) =>
    message.role === "system" ? [message.content] : [],
  )
  const turns: Array<Turn> = []
  for (const message of prompt.content) {
    if (message.role !== "system") turns.push(yield* turnOf(message))
  }
  const messages = joinTurns(turns).map(({ role, content }): JsonObject => ({ role, content }))
  return { system: system.join("\n\n"), messages }
})
