/**
 * Backtests of agents that trade one asset once a day and cannot see the future: a broker, the figures of
 * the single-cryptocurrency trading challenge beside the textbook's, baselines, layered memory, and agents
 * with and without a language model. Nothing here places an order anywhere.
 *
 * @module
 */
export type { Action, Direction } from "./action.ts"
export { actionOf, directionOf } from "./action.ts"
export type { Agent, AgentSession, Decision, Portfolio, RecalledMemory } from "./agent.ts"
export { makeRuleAgent } from "./agent.ts"
export type { Trade } from "./account.ts"
export {
  buyAndHold,
  momentum,
  movingAverageCross,
  type MovingAverageOptions,
  newsSentiment,
  randomAgent,
} from "./baselines.ts"
export { Broker, type Statement } from "./broker.ts"
export type { BrokerOptions, BrokerRules, Fill } from "./broker_options.ts"
export { daysBetween, isCalendarDate } from "./calendar_date.ts"
export {
  type ChallengeMetrics,
  challengeMetrics,
  type ChallengeOptions,
  challengeReturns,
  maxDrawdown,
} from "./challenge_metrics.ts"
export { parseDecisions } from "./decision_file.ts"
export { embeddedAgent } from "./embedded_agent.ts"
export {
  AgentStateError,
  DecisionFileError,
  InvalidBroker,
  InvalidWindow,
  PriceFileError,
} from "./errors.ts"
export { languageModelAgent } from "./language_model_agent.ts"
export { LayeredMemory, type Memory, type ScoredMemory } from "./memory/layered_memory.ts"
export {
  type LayerRule,
  type LayerRules,
  makeLayerRules,
  type MemoryLayer,
} from "./memory/layers.ts"
export {
  type Choice,
  countMemories,
  makeMemoryAgent,
  type MemoryAgentOptions,
  type Strategy,
  type StrategyDay,
  type StrategyLesson,
} from "./memory_agent.ts"
export { type News, parseNews, type Sentiment, type SentimentCounts } from "./news.ts"
export type { FutureNews, NewsDetail } from "./parse_day.ts"
export { type DatedPrice, type Lesson, type Observation, PointInTime } from "./point_in_time.ts"
export { countGaps, type Day, type Gaps, type PriceSeries } from "./price_series.ts"
export { type Profile, profileOf } from "./profile.ts"
export { makePriceReader, readPrices, type ReadPricesOptions } from "./read_prices.ts"
export {
  type AgentRun,
  countActions,
  type DatedDecision,
  runAgent,
  type RunAgentOptions,
} from "./run_agent.ts"
export { type FillScore, type Score, scoreDecisions, type ScoreOptions } from "./score.ts"
export {
  type Ends,
  type StandardMetrics,
  standardMetrics,
  type StandardOptions,
} from "./standard_metrics.ts"
export { type ChallengeAsset, challengeWindows, type Window } from "./window.ts"
