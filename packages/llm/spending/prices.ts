/** What a model costs, in US dollars for a million tokens. */
export interface Price {
  readonly input: number
  /** Of tokens that the server found in its cache; `input` where it is left out. */
  readonly cachedInput?: number
  /** Of tokens that the server wrote to its cache; `input` where it is left out. */
  readonly cacheWrite?: number
  readonly output: number
}

/** A price, with the day on which it was looked up. */
export interface DatedPrice extends Price {
  readonly provider: "openai" | "anthropic"
  readonly model: string
  /** The day on which somebody looked it up, as an ISO date. */
  readonly lookedUp: string
}

const lookedUp = "2026-11-23"

const openai = (model: string, input: number, cachedInput: number, output: number): DatedPrice => ({
  provider: "openai",
  model,
  input,
  cachedInput,
  output,
  lookedUp,
})

/** Anthropic reads from its cache at a tenth of the price and writes to it at five quarters. */
const anthropic = (model: string, input: number, output: number): DatedPrice => ({
  provider: "anthropic",
  model,
  input,
  cachedInput: input / 10,
  cacheWrite: input * 1.25,
  output,
  lookedUp,
})

/**
 * List prices of the providers' own servers, standard tier, without discounts for batches. Prices
 * change: give your own by the option `price` where it matters. A model that is not here has no price,
 * which is said; it is never taken for free.
 *
 * Sources: https://developers.openai.com/api/docs/pricing and
 * https://platform.claude.com/docs/en/about-claude/pricing, as other public tables repeat them.
 */
export const prices: ReadonlyArray<DatedPrice> = [
  openai("gpt-4.1", 2, 0.5, 8),
  openai("gpt-4.1-mini", 0.4, 0.1, 1.6),
  openai("gpt-4.1-nano", 0.1, 0.025, 0.4),
  openai("gpt-4o", 2.5, 1.25, 10),
  openai("gpt-4o-mini", 0.15, 0.075, 0.6),
  openai("gpt-5", 1.25, 0.125, 10),
  openai("gpt-5-mini", 0.25, 0.025, 2),
  openai("gpt-5-nano", 0.05, 0.005, 0.4),
  openai("gpt-5.1", 1.25, 0.125, 10),
  openai("gpt-5.2", 1.75, 0.175, 14),
  openai("gpt-5.4", 2.5, 0.25, 15),
  openai("gpt-5.4-mini", 0.75, 0.075, 4.5),
  openai("text-embedding-3-small", 0.02, 0.02, 0),
  openai("text-embedding-3-large", 0.13, 0.13, 0),
  anthropic("claude-opus-4-1", 15, 75),
  anthropic("claude-opus-4-5", 5, 25),
  anthropic("claude-opus-4-6", 5, 25),
  anthropic("claude-opus-4-7", 5, 25),
  anthropic("claude-opus-4-8", 5, 25),
  anthropic("claude-opus-5", 5, 25),
  anthropic("claude-sonnet-4-5", 3, 15),
  anthropic("claude-sonnet-4-6", 3, 15),
  anthropic("claude-sonnet-5", 2, 10),
  anthropic("claude-haiku-4-5", 1, 5),
]

/** A snapshot costs what its model costs: `gpt-4o-2024-08-06`, `claude-haiku-4-5-20251001`. */
const withoutDate = (model: string): string =>
  model.replace(/-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$/, "")

/**
 * The list price of a model, or `undefined` where it is not known.
 *
 * @example
 * ```ts
 * import { listPrice } from "@espalier/llm"
 *
 * console.log(listPrice("openai", "gpt-4.1-mini-2025-04-14")?.output) // 1.6
 * console.log(listPrice("openai", "gpt-99")) // undefined
 * ```
 */
export const listPrice = (
  provider: DatedPrice["provider"],
  model: string,
): DatedPrice | undefined =>
  prices.find((price) => price.provider === provider && price.model === withoutDate(model))

/** Token counts of one call. */
export interface TokenUsage {
  /** All tokens of the prompt. */
  readonly input: number
  /** Of these, what was read from the server's cache. */
  readonly cachedInput: number
  /** Of these, what was written to the server's cache. */
  readonly cacheWrite: number
  readonly output: number
}

/** What a call costs at a price, in US dollars. */
export const costOf = (price: Price, usage: TokenUsage): number => {
  const fresh = Math.max(0, usage.input - usage.cachedInput - usage.cacheWrite)
  const dollars =
    fresh * price.input +
    usage.cachedInput * (price.cachedInput ?? price.input) +
    usage.cacheWrite * (price.cacheWrite ?? price.input) +
    usage.output * price.output
  return dollars / 1e6
}
