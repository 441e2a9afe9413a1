import { Effect } from "effect"
import type { Action } from "./action.ts"
import type { AgentStateError } from "./errors.ts"
import type { Lesson, Observation } from "./point_in_time.ts"

/** What the broker says to an agent at the end of a day, before it decides. */
export interface Portfolio {
  /** The position that was held up to now: long, short, or none. */
  readonly direction: -1 | 0 | 1
  readonly cash: number
  readonly units: number
  readonly equity: number
  /** What the equity gained since the beginning, as a share. */
  readonly gained: number
  /** What came out since the entry before this one, and the date of the decision that it came from. */
  readonly settled: { readonly decided: string; readonly profit: number } | undefined
}

/** A memory that an agent was shown when it decided. */
export interface RecalledMemory {
  readonly id: number
  readonly layer: string
  readonly date: string
  readonly text: string
  readonly score: number
}

/** What an agent decided, and why. */
export interface Decision {
  readonly action: Action
  readonly reason?: string
  /** What it was shown. */
  readonly recalled?: ReadonlyArray<RecalledMemory>
  /** Which of these it went by. */
  readonly cited?: ReadonlyArray<number>
  /** What it says it went by and was never shown. */
  readonly invented?: ReadonlyArray<number>
}

/** An agent at work. Its state is its own; `save` gives it as plain JSON. */
export interface AgentSession<E = never, R = never> {
  /** Decides at the end of a day, in the test phase. */
  readonly decide: (observation: Observation, portfolio: Portfolio) => Effect.Effect<Decision, E, R>
  /** Learns from a day whose outcome it is told, in the warm-up. */
  readonly learn: (lesson: Lesson) => Effect.Effect<Decision, E, R>
  readonly save: () => unknown
}

/**
 * Decides once a day on one asset. It sees {@link Observation}s in the test phase, {@link Lesson}s in the
 * warm-up, and never a price of tomorrow.
 */
export interface Agent<E = never, R = never> {
  readonly name: string
  /** How many entries before a day it looks at. */
  readonly lookBack: number
  /** Begins, from a state that an earlier session saved where there is one. */
  readonly begin: (saved?: unknown) => Effect.Effect<AgentSession<E, R>, AgentStateError, R>
}

/**
 * An agent that follows a rule and remembers nothing.
 *
 * @example
 * ```ts
 * import { makeRuleAgent } from "@espalier/trading"
 * const contrarian = makeRuleAgent("contrarian", 1, ({ prices: [before, now = before] }) =>
 *   now.price > before.price ? "sell" : "buy",
 * )
 * console.log(contrarian.name) // contrarian
 * ```
 */
export const makeRuleAgent = (
  name: string,
  lookBack: number,
  rule: (observation: Observation) => Action,
): Agent => {
  const session: AgentSession = {
    decide: (observation) => Effect.sync(() => ({ action: rule(observation) })),
    learn: ({ observation }) => Effect.sync(() => ({ action: rule(observation) })),
    save: () => null,
  }
  return { name, lookBack, begin: () => Effect.succeed(session) }
}
