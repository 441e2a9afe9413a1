import { type Prompt, AiError } from "effect/ai"
import { Result } from "effect"

/**
 * How the messages of a chat become the one text that a model continues:
 *
 * - `plain`: paragraphs that begin with `User:` and `Assistant:`, the system's text before them. The
 *   answer ends where the model writes the next `User:`. For models that were trained on plain text.
 * - `chatml`: `<|im_start|>role`, a line feed, the text, `<|im_end|>` and a line feed. For models that
 *   were trained on it (Qwen and others), whose tokenizer has the two marks as tokens.
 * - `continue`: the texts alone, a line each, without roles: the model goes on writing. For stories.
 */
export type ChatTemplateName = "plain" | "chatml" | "continue"

/** The names of the templates. */
export const chatTemplateNames = ["plain", "chatml", "continue"] as const

/** A message with nothing but text. */
interface PlainMessage {
  readonly role: "system" | "user" | "assistant"
  readonly text: string
}

/** A prompt as one text, and what ends the answer. */
export interface TemplatedPrompt {
  readonly text: string
  readonly stop: ReadonlyArray<string>
}

const names = { system: "", user: "User: ", assistant: "Assistant: " }

const templates: Readonly<
  Record<ChatTemplateName, (messages: ReadonlyArray<PlainMessage>) => TemplatedPrompt>
> = {
  plain: (messages) => ({
    text: `${messages.map(({ role, text }) => `${names[role]}${text}\n\n`).join("")}Assistant:`,
    stop: ["\nUser:"],
  }),
  chatml: (messages) => ({
    text: `${messages.map(({ role, text }) => `<|im_start|>${role}\n${text}<|im_end|>\n`).join("")}<|im_start|>assistant\n`,
    stop: ["<|im_end|>"],
  }),
  continue: (messages) => ({ text: messages.map(({ text }) => text).join("\n"), stop: [] }),
}

const refused = (description: string) =>
  AiError.make({
    module: "LanguageModel",
    method: "generateText",
    reason: new AiError.InvalidUserInputError({ description }),
  })

const plainMessage = (message: Prompt.Message): Result.Result<PlainMessage, AiError.AiError> => {
  if (message.role === "system") return Result.succeed({ role: "system", text: message.content })
  if (message.role === "tool") return Result.fail(refused("local models take no results of tools"))
  const texts: Array<string> = []
  for (const part of message.content) {
    if (part.type === "text") texts.push(part.text)
    else if (part.type !== "reasoning") {
      return Result.fail(refused(`local models take text alone, not a part of type ${part.type}`))
    }
  }
  return Result.succeed({ role: message.role, text: texts.join("\n") })
}

/** A prompt as the text that a local model continues. */
export const applyChatTemplate = (
  prompt: Prompt.Prompt,
  name: ChatTemplateName,
): Result.Result<TemplatedPrompt, AiError.AiError> =>
  Result.map(Result.all(prompt.content.map(plainMessage)), templates[name])
