import { blockBootstrap } from "@espalier/evaluation"
import { Result } from "effect"
import type { Direction } from "./action.ts"
import { Broker, type Statement } from "./broker.ts"
import { type BrokerOptions, costShare, type Fill } from "./broker_options.ts"
import { challengeMetrics, type ChallengeMetrics } from "./challenge_metrics.ts"
import type { InvalidBroker, InvalidWindow } from "./errors.ts"
import type { PointInTime } from "./point_in_time.ts"
import { countGaps, type Gaps } from "./price_series.ts"
import {
  type Ends,
  endsOf,
  simpleReturns,
  standardMetrics,
  type StandardMetrics,
  type StandardOptions,
} from "./standard_metrics.ts"
import type { Window } from "./window.ts"

/** How decisions are scored. */
export interface ScoreOptions extends BrokerOptions, StandardOptions {}

/** What decisions came to under one way of filling orders. */
export interface FillScore {
  readonly challenge: ChallengeMetrics
  readonly standard: StandardMetrics
}

/** What decisions came to. */
export interface Score extends FillScore {
  /** How many prices the window has: n of the challenge's Sharpe ratio. */
  readonly days: number
  readonly from: string
  readonly to: string
  readonly fill: Fill
  /** The same decisions filled in the other way, `next` or `close`. */
  readonly other: FillScore & { readonly fill: Fill }
  /**
   * How much more was gained than by buying and holding under the same rules, as a total return, with its
   * 95 % interval by the paired stationary block bootstrap: clear of 0, or nothing is proven.
   */
  readonly overBuyAndHold: { readonly totalReturn: number; readonly interval: Ends }
  /** Days of the calendar in the window that have no price. */
  readonly gaps: Gaps
  readonly statements: ReadonlyArray<Statement>
}

/**
 * Scores decisions over a window: the challenge's metrics of the positions, and the textbook's of an
 * account that a {@link Broker} keeps. A day without a decision is a day without a position.
 *
 * With costs, the challenge's returns lose them whenever the position changes.
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import { makePriceReader, PointInTime, type PriceSeries, scoreDecisions } from "@espalier/trading"
 *
 * const reader = makePriceReader("p.json")
 * reader.feed(`{ "2023-01-01": { "prices": 20 }, "2023-01-02": { "prices": 21 }, "2023-01-03": { "prices": 20 } }`)
 * const market = PointInTime.make(reader.end() as PriceSeries)
 * const window = { from: "2023-01-01", to: "2023-01-03" }
 * const { challenge, days } = Result.getOrThrow(
 *   scoreDecisions(market, window, new Map([["2023-01-01", 1], ["2023-01-02", -1]])),
 * )
 * console.log(days, challenge.cumulativeReturn.toFixed(4)) // 3 0.0976
 * ```
 */
export const scoreDecisions = (
  market: PointInTime,
  window: Window,
  decisions: ReadonlyMap<string, Direction>,
  options: ScoreOptions = {},
): Result.Result<Score, InvalidWindow | InvalidBroker> =>
  Result.gen(function* () {
    const { fill = "close" } = options
    const account = function* (fill: Fill, decide: (date: string) => Direction) {
      const broker = yield* Broker.open(market, window, { ...options, fill })
      for (const date of broker.dates) broker.order(decide(date))
      return broker
    }
    const decided = (date: string) => decisions.get(date) ?? 0
    const scored = function* (fill: Fill) {
      const { rules, statements } = yield* account(fill, decided)
      const prices = statements.map(({ price }) => price)
      const directions = statements.map(({ decided }) => decided)
      const cost = costShare(rules)
      const { daysPerYear } = options
      return {
        challenge: challengeMetrics(prices, directions, {
          fill,
          cost,
          ...(daysPerYear === undefined ? {} : { daysPerYear }),
        }),
        standard: standardMetrics(statements, options),
        statements,
      }
    }
    const { statements, ...figures } = yield* scored(fill)
    const otherFill = fill === "close" ? "next" : "close"
    const { statements: _, ...other } = yield* scored(otherFill)
    const held = yield* account(fill, () => 1)
    const own = simpleReturns(statements.map(({ equity }) => equity))
    const theirs = simpleReturns(held.statements.map(({ equity }) => equity))
    const { estimate, ...interval } = blockBootstrap(
      own.map((r, i) => [r, theirs[i]] as const),
      (drawn) =>
        drawn.reduce((product, [r]) => product * (1 + r), 1) -
        drawn.reduce((product, [, r]) => product * (1 + r), 1),
      { resamples: options.resamples ?? 2000, seed: options.seed ?? 0 },
    )
    return {
      ...figures,
      days: statements.length,
      from: statements[0].date,
      to: statements[statements.length - 1].date,
      fill,
      other: { fill: otherFill, ...other },
      overBuyAndHold: { totalReturn: estimate, interval: endsOf(interval) },
      gaps: countGaps(statements.map(({ date }) => date)),
      statements,
    }
  })
