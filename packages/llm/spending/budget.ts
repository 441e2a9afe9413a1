import { Context, Effect, Layer } from "effect"
import { BudgetExhausted, PriceUnknown } from "../typed_errors.ts"
import { costOf, type Price, type TokenUsage } from "./prices.ts"

/** What may be spent; what is left out has no limit. */
export interface BudgetLimits {
  /** Tokens of prompts and answers together. */
  readonly tokens?: number
  /** US dollars. */
  readonly cost?: number
  readonly requests?: number
  /**
   * Tokens that are set aside for an answer whose length is not limited (`maxTokens`): 1,024 by
   * default. A longer answer can take the last call over the budget; the next is not made.
   */
  readonly answerReserve?: number
}

/** A call that is about to be made. */
export interface PlannedCall {
  readonly provider: string
  readonly model: string
  /** Tokens of the prompt, estimated. */
  readonly inputTokens: number
  /** The most tokens of the answer, if they are limited. */
  readonly maxTokens: number | undefined
  readonly price: Price | undefined
}

/** What a call has set aside of the budget, to be settled when it is over. */
export interface Reservation {
  /** Gives back what was set aside and books what was used: `undefined` where the call failed. */
  readonly settle: (usage: TokenUsage | undefined) => Effect.Effect<void>
}

/** Keeps count of what is spent, and stops before the call that could spend more. */
export interface BudgetService {
  readonly reserve: (
    call: PlannedCall,
  ) => Effect.Effect<Reservation, BudgetExhausted | PriceUnknown>
}

/**
 * What the calls of language models may spend. The default has no limits. A call that could exceed
 * the budget is not made: it fails with `BudgetExhausted`. Calls in flight count with the most that
 * they could use, so that calls at the same time do not exceed it together. What a cassette answers
 * spends nothing, and so do local models in money.
 */
export class Budget extends Context.Reference<BudgetService>("@espalier/llm/Budget", {
  defaultValue: () => noBudget,
}) {}

const noBudget: BudgetService = {
  reserve: () => Effect.succeed({ settle: () => Effect.void }),
}

const kinds = ["requests", "tokens", "cost"] as const

type Amounts = Readonly<Record<(typeof kinds)[number], number>>

const nothing: Amounts = { requests: 0, tokens: 0, cost: 0 }

const add = (left: Amounts, right: Amounts, sign: 1 | -1): Amounts => ({
  requests: left.requests + sign * right.requests,
  tokens: left.tokens + sign * right.tokens,
  cost: left.cost + sign * right.cost,
})

const hints = {
  requests: "Allow more requests (--budget-requests), or use what is done.",
  tokens:
    "Allow more tokens (--budget-tokens), lower the most of an answer (--max-tokens), or use what is done.",
  cost: "Allow more (--budget-cost), lower the most of an answer (--max-tokens), take a cheaper model, or use what is done.",
}

/** A budget that starts with nothing spent. */
export const makeBudget = (limits: BudgetLimits): Effect.Effect<BudgetService> =>
  Effect.sync(() => {
    let spent = nothing
    let reserved = nothing

    const needed = (call: PlannedCall): Amounts => {
      const output = call.maxTokens ?? limits.answerReserve ?? 1024
      const usage = { input: call.inputTokens, cachedInput: 0, cacheWrite: 0, output }
      const cost = call.price === undefined ? 0 : costOf(call.price, usage)
      return { requests: 1, tokens: call.inputTokens + output, cost }
    }

    const reserve = Effect.fnUntraced(function* (call: PlannedCall) {
      if (limits.cost !== undefined && call.price === undefined) {
        const { provider, model } = call
        const hint = "Give its price (the option price), or a budget in tokens (--budget-tokens)."
        return yield* new PriceUnknown({ provider, model, hint })
      }
      const mine = needed(call)
      const together = add(reserved, mine, 1)
      for (const budget of kinds) {
        const limit = limits[budget]
        if (limit === undefined || spent[budget] + together[budget] <= limit) continue
        const amounts = { limit, spent: spent[budget], needed: together[budget] }
        return yield* new BudgetExhausted({ budget, ...amounts, hint: hints[budget] })
      }
      reserved = together
      const settle = (usage: TokenUsage | undefined) =>
        Effect.sync(() => {
          reserved = add(reserved, mine, -1)
          const tokens = usage === undefined ? 0 : usage.input + usage.output
          const cost =
            usage === undefined || call.price === undefined ? 0 : costOf(call.price, usage)
          spent = add(spent, { requests: 1, tokens, cost }, 1)
        })
      return { settle }
    })

    return { reserve }
  })

/**
 * {@link makeBudget} as a layer.
 *
 * @example
 * ```ts
 * import { budgetLayer, scriptedLanguageModel, typedErrors } from "@espalier/llm"
 * import { Effect } from "effect"
 * import { LanguageModel } from "effect/ai"
 *
 * const ask = typedErrors(LanguageModel.generateText({ prompt: "Again?" }))
 * const error = Effect.flip(Effect.andThen(ask, ask)).pipe(
 *   Effect.provide([scriptedLanguageModel(() => "Yes."), budgetLayer({ requests: 1 })]),
 * )
 * console.log((await Effect.runPromise(error))._tag) // BudgetExhausted
 * ```
 */
export const budgetLayer = (limits: BudgetLimits): Layer.Layer<never> =>
  Layer.effect(Budget, makeBudget(limits))
