import { Result } from "effect"
import { type Account, equityAt, trade, type Trade } from "./account.ts"
import type { Direction } from "./action.ts"
import type { Portfolio } from "./agent.ts"
import { type BrokerOptions, makeBrokerRules, type BrokerRules } from "./broker_options.ts"
import type { InvalidBroker, InvalidWindow } from "./errors.ts"
import { type DatedPrice, outcomesOf, type PointInTime } from "./point_in_time.ts"
import type { Window } from "./window.ts"

/** One day of an account. */
export interface Statement {
  readonly date: string
  readonly price: number
  /** What was decided that day. */
  readonly decided: Direction
  /** The equity before the day's trade. */
  readonly equity: number
  /** The position after it. */
  readonly held: Direction
  readonly cash: number
  readonly units: number
  readonly trade?: Trade
}

/**
 * Knows how days went on, and fills orders. Agents are told what came out when it has: see
 * {@link Portfolio}.
 */
export class Broker {
  readonly rules: BrokerRules
  /** The dates of the window. */
  readonly dates: ReadonlyArray<string>
  /** Whether the window reaches beyond the data. */
  readonly cut: boolean
  readonly #days: ReadonlyArray<DatedPrice>
  readonly #statements: Array<Statement> = []
  #account: Account
  /** The decision that the position held comes from, and the equity when it was settled last. */
  #position: { readonly decided: string; readonly direction: Direction } | undefined
  #portfolio: Portfolio | undefined

  private constructor(days: ReadonlyArray<DatedPrice>, cut: boolean, rules: BrokerRules) {
    this.#days = days
    this.cut = cut
    this.rules = rules
    this.dates = days.map(({ date }) => date)
    this.#account = { cash: rules.cash, units: 0 }
  }

  /**
   * Opens an account for the days of a window.
   *
   * @example
   * ```ts
   * import { Result } from "effect"
   * import { Broker, makePriceReader, PointInTime, type PriceSeries } from "@espalier/trading"
   *
   * const reader = makePriceReader("p.json")
   * reader.feed(`{ "2023-01-01": { "prices": 20 }, "2023-01-02": { "prices": 21 } }`)
   * const market = PointInTime.make(reader.end() as PriceSeries)
   * const window = { from: "2023-01-01", to: "2023-01-02" }
   * const broker = Result.getOrThrow(Broker.open(market, window, { cash: 100 }))
   * broker.order(1) // buys 5 units at 20
   * console.log(broker.portfolio()?.equity) // 105
   * ```
   */
  static open(
    market: PointInTime,
    window: Window,
    options: BrokerOptions = {},
  ): Result.Result<Broker, InvalidWindow | InvalidBroker> {
    return Result.flatMap(makeBrokerRules(options), (rules) =>
      Result.map(outcomesOf(market, window), ({ days, cut }) => new Broker(days, cut, rules)),
    )
  }

  /** The statements of the days that are over. */
  get statements(): ReadonlyArray<Statement> {
    return this.#statements
  }

  /** The account at the end of the day that is next to be decided; `undefined` after the last. */
  portfolio(): Portfolio | undefined {
    const index = this.#statements.length
    if (index >= this.#days.length) return undefined
    if (this.#portfolio !== undefined) return this.#portfolio
    const equity = equityAt(this.#account, this.#days[index].price)
    const before = this.#statements[index - 1]
    const position = this.#position
    this.#portfolio = {
      direction: Math.sign(this.#account.units) as Direction,
      cash: this.#account.cash,
      units: this.#account.units,
      equity,
      gained: equity / this.rules.cash - 1,
      settled:
        before === undefined || position === undefined
          ? undefined
          : { decided: position.decided, profit: equity - before.equity },
    }
    return this.#portfolio
  }

  /** Takes the day's decision and goes on to the next day. What is decided on the last day is not filled. */
  order(decided: Direction): void {
    const portfolio = this.portfolio()
    if (portfolio === undefined) return
    const index = this.#statements.length
    const { date, price } = this.#days[index]
    const last = index === this.#days.length - 1
    const before = this.#statements[index - 1]
    const { fill, shortLimit } = this.rules
    const filled: { readonly decided: string; readonly direction: Direction } | undefined =
      fill === "close"
        ? { decided: date, direction: decided }
        : before && { decided: before.date, direction: before.decided }
    const direction =
      filled === undefined || (filled.direction < 0 && shortLimit === 0) ? 0 : filled.direction
    const done = last
      ? { account: this.#account }
      : trade(this.#account, direction, price, this.rules)
    this.#account = done.account
    if (!last) this.#position = filled
    this.#statements.push({
      date,
      price,
      decided,
      equity: portfolio.equity,
      held: Math.sign(done.account.units) as Direction,
      ...done.account,
      ...(done.trade === undefined ? {} : { trade: done.trade }),
    })
    this.#portfolio = undefined
  }
}
