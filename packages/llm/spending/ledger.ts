import { Context, Effect, Layer } from "effect"
import type { TokenUsage } from "./prices.ts"

/** One call in the {@link Ledger}. */
export interface LedgerEntry {
  readonly provider: string
  readonly model: string
  readonly kind: "generate" | "stream" | "embed"
  readonly usage: TokenUsage
  /** The server said nothing of tokens: they are estimated from the length of the texts. */
  readonly estimated: boolean
  /** The answer came from a cassette: nothing was paid. */
  readonly replayed: boolean
  /** US dollars; `undefined` where the model's price is not known. */
  readonly cost: number | undefined
}

/** Where the calls of language models are written down. */
export interface LedgerService {
  readonly record: (entry: LedgerEntry) => Effect.Effect<void>
  readonly entries: Effect.Effect<ReadonlyArray<LedgerEntry>>
}

/** The sums of a ledger. Tokens and cost are of live calls alone. */
export interface LedgerSummary {
  /** Calls that asked a model. */
  readonly requests: number
  /** Calls that a cassette answered. */
  readonly replayed: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Calls whose tokens are estimates. */
  readonly estimated: number
  /** US dollars of the calls whose price is known. */
  readonly knownCost: number
  /** Models whose price is not known; their cost is not in `knownCost`. */
  readonly unknownPrices: ReadonlyArray<string>
}

/**
 * Writes down what each call used and cost. The default keeps nothing.
 *
 * @example
 * ```ts
 * import { Ledger, ledgerLayer, scriptedLanguageModel, summarizeLedger } from "@espalier/llm"
 * import { Effect } from "effect"
 * import { LanguageModel } from "effect/ai"
 *
 * const entries = LanguageModel.generateText({ prompt: "How tall is Ben Nevis?" }).pipe(
 *   Effect.andThen(Effect.flatMap(Ledger, (ledger) => ledger.entries)),
 *   Effect.provide([scriptedLanguageModel(() => "1,345 m"), ledgerLayer]),
 * )
 * console.log(summarizeLedger(await Effect.runPromise(entries)).requests) // 1
 * ```
 */
export class Ledger extends Context.Reference<LedgerService>("@espalier/llm/Ledger", {
  defaultValue: () => noLedger,
}) {}

/** Keeps nothing. */
const noLedger: LedgerService = { record: () => Effect.void, entries: Effect.succeed([]) }

/** A ledger in memory. */
export const makeLedger: Effect.Effect<LedgerService> = Effect.sync(() => {
  const entries: Array<LedgerEntry> = []
  return {
    record: (entry) => Effect.sync(() => void entries.push(entry)),
    entries: Effect.sync(() => [...entries]),
  }
})

/** {@link makeLedger} as a layer. */
export const ledgerLayer: Layer.Layer<never> = Layer.effect(Ledger, makeLedger)

/** Adds a ledger up. */
export const summarizeLedger = (entries: ReadonlyArray<LedgerEntry>): LedgerSummary => {
  const live = entries.filter((entry) => !entry.replayed)
  const sum = (of: (entry: LedgerEntry) => number) =>
    live.reduce((total, entry) => total + of(entry), 0)
  const unknown = live.filter((entry) => entry.cost === undefined).map((entry) => entry.model)
  return {
    requests: live.length,
    replayed: entries.length - live.length,
    inputTokens: sum((entry) => entry.usage.input),
    outputTokens: sum((entry) => entry.usage.output),
    estimated: live.filter((entry) => entry.estimated).length,
    knownCost: sum((entry) => entry.cost ?? 0),
    unknownPrices: [...new Set(unknown)],
  }
}

/**
 * A summary as one line for people.
 *
 * @example
 * ```ts
 * import { printLedger, summarizeLedger } from "@espalier/llm"
 *
 * console.log(printLedger(summarizeLedger([]))) // 0 requests, 0 tokens in, 0 out, $0.000000
 * ```
 */
export const printLedger = (summary: LedgerSummary): string => {
  const count = (number: number) => number.toLocaleString("en-US")
  const { requests, replayed, estimated, unknownPrices } = summary
  const money =
    unknownPrices.length === 0
      ? `$${summary.knownCost.toFixed(6)}`
      : `cost unknown (no price for ${unknownPrices.join(", ")})${summary.knownCost > 0 ? `, $${summary.knownCost.toFixed(6)} for the rest` : ""}`
  return [
    `${count(requests)} request${requests === 1 ? "" : "s"}`,
    ...(replayed > 0 ? [`${count(replayed)} from the cassette`] : []),
    `${count(summary.inputTokens)} tokens in`,
    `${count(summary.outputTokens)} out${estimated > 0 ? ` (${count(estimated)} estimated)` : ""}`,
    money,
  ].join(", ")
}
