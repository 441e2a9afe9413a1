import { Prompt } from "effect/ai"
import type { AnswerSchema } from "../provider.ts"

/** A prompt that also says which JSON the answer is to be, for servers that cannot be told otherwise. */
export const schemaInstruction = (prompt: Prompt.Prompt, answer: AnswerSchema): Prompt.Prompt =>
  Prompt.appendSystem(
    prompt,
    [
      `Answer with one JSON object (${answer.name}) and nothing else: no explanation, no code fence.`,
      `It must fit this JSON Schema:\n${JSON.stringify(answer.schema)}`,
    ].join("\n"),
  )
