import { Effect } from "effect"
import { type AiError, type EmbeddingModel } from "effect/ai"
import { type Action, actionOf } from "./action.ts"
import type { Agent } from "./agent.ts"
import { sampleDeviation } from "./challenge_metrics.ts"
import type { ScoredMemory } from "./memory/layered_memory.ts"
import {
  makeMemoryAgent,
  meanLabel,
  type MemoryAgentOptions,
  type Strategy,
} from "./memory_agent.ts"
import type { Observation } from "./point_in_time.ts"

const records = 3

/** What speaks for a rising price, each from −1 to 1. */
export interface Votes {
  /** The change over three entries, in units of what is usual for three. */
  readonly momentum: number
  /** How much better the day's news are labelled than those of the 30 entries before. */
  readonly news: number
  /** What the recalled memories speak for, by their scores. */
  readonly memory: number
}

const momentumVote = (observation: Observation): number => {
  const prices = observation.prices.map(({ price }) => price)
  if (prices.length <= records) return 0
  const changes = prices.slice(1).map((price, i) => Math.log(price / prices[i]))
  const usual = sampleDeviation(changes) * Math.sqrt(records)
  const change = Math.log(prices[prices.length - 1] / prices[prices.length - 1 - records])
  return usual > 0 ? Math.tanh(change / usual) : Math.sign(change)
}

const newsVote = ({ sentiment, sentiments }: Observation): number => {
  const { positive, negative, neutral } = sentiment
  if (positive + negative + neutral === 0) return 0
  return Math.tanh(meanLabel([sentiment]) - meanLabel(sentiments))
}

const memoryVote = (recalled: ReadonlyArray<ScoredMemory>): number => {
  let [sum, weight] = [0, 0]
  for (const { score, stance } of recalled) {
    sum += score * Math.max(-1, Math.min(1, stance))
    weight += score
  }
  return weight > 0 ? sum / weight : 0
}

/** What speaks for a rising price tomorrow. */
export const votesOf = (
  observation: Observation,
  recalled: ReadonlyArray<ScoredMemory>,
): Votes => ({
  momentum: momentumVote(observation),
  news: newsVote(observation),
  memory: memoryVote(recalled),
})

/** How far the mean vote has to be from 0 before it is acted on. */
const thresholds = { seeking: 0.02, averse: 0.12 } as const

const supporting = (recalled: ReadonlyArray<ScoredMemory>, action: Action) =>
  recalled.filter(({ stance }) => actionOf(stance) === action && stance !== 0).map(({ id }) => id)

const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`

const words = ({ momentum, news, memory }: Votes) =>
  `Momentum ${signed(momentum)}, news ${signed(news)}, memory ${signed(memory)}.`

const strategy: Strategy = {
  decide: ({ observation, recalled, risk }) =>
    Effect.sync(() => {
      const votes = votesOf(observation, recalled)
      const mean = (votes.momentum + votes.news + votes.memory) / 3
      const action = actionOf(Math.abs(mean) < thresholds[risk] ? 0 : mean)
      return { action, reason: words(votes), cited: supporting(recalled, action), invented: [] }
    }),
  explain: ({ observation, change, recalled }) =>
    Effect.sync(() => {
      const action = actionOf(change)
      const reason = words(votesOf(observation, recalled))
      return { action, reason, cited: supporting(recalled, action), invented: [] }
    }),
}

/**
 * The agent that needs no language model: it takes the mean of what momentum, the news' labels and its
 * memory speak for, with equal weights, and acts where that is far enough from 0 for its risk. Nothing in it was
 * fitted to a test window.
 *
 * @example
 * ```ts
 * import { embeddedAgent, profileOf } from "@espalier/trading"
 * console.log(embeddedAgent({ profile: profileOf("btc") }).name) // default
 * ```
 */
export const embeddedAgent = (
  options: MemoryAgentOptions,
): Agent<AiError.AiError, EmbeddingModel.EmbeddingModel> =>
  makeMemoryAgent("default", strategy, options)
