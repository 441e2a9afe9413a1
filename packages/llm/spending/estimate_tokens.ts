const encoder = new TextEncoder()

/**
 * A careful guess at the number of tokens of a text, for budgets and rate limits before a server has
 * counted: a token for every three bytes of UTF-8. English has about four, so the guess is high.
 *
 * @example
 * ```ts
 * import { estimateTokens } from "@espalier/llm"
 *
 * console.log(estimateTokens("twelve bytes")) // 4
 * ```
 */
export const estimateTokens = (text: string): number => Math.ceil(encoder.encode(text).length / 3)
