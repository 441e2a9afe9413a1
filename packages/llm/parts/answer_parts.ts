import type { Response } from "effect/ai"
import { Tool } from "effect/ai"
import { extractJson } from "../extract_json.ts"
import type { AnswerSchema } from "../provider.ts"

/** Token counts of an answer as Effect holds them; `undefined` where the server does not say. */
export interface ServedTokens {
  readonly input: number | undefined
  readonly cacheRead?: number | undefined
  readonly cacheWrite?: number | undefined
  readonly output: number | undefined
  readonly reasoning?: number | undefined
}

const minus = (total: number | undefined, part: number | undefined) =>
  total === undefined ? undefined : Math.max(0, total - (part ?? 0))

/** The part that ends an answer. */
export const finishPart = (
  reason: Response.FinishReason,
  tokens: ServedTokens,
): Response.FinishPartEncoded => ({
  type: "finish",
  reason,
  usage: {
    inputTokens: {
      uncached: minus(tokens.input, (tokens.cacheRead ?? 0) + (tokens.cacheWrite ?? 0)),
      total: tokens.input,
      cacheRead: tokens.cacheRead,
      cacheWrite: tokens.cacheWrite,
    },
    outputTokens: {
      total: tokens.output,
      text: minus(tokens.output, tokens.reasoning),
      reasoning: tokens.reasoning,
    },
  },
})

/** The part that says who answered. */
export const metadataPart = (
  id: string | null | undefined,
  model: string | null | undefined,
): Response.ResponseMetadataPartEncoded => ({
  type: "response-metadata",
  ...(id ? { id } : {}),
  ...(model ? { modelId: model } : {}),
})

/** The text of an answer: of one that should be JSON, what is JSON in it. */
export const answerText = (text: string, answer: AnswerSchema | undefined): string =>
  answer === undefined ? text : extractJson(text)

/** The parameters of a tool's call; an empty text stands for none. `undefined` where they are no JSON. */
export const parseParameters = (text: string): { readonly params: unknown } | undefined => {
  try {
    return { params: text.trim() === "" ? {} : Tool.unsafeSecureJsonParse(text) }
  } catch {
    return undefined
  }
}
