import { Result } from "effect"
import { InvalidBroker } from "./errors.ts"

/** When an order is filled: at the price it was decided at, or at that of the next entry. */
export type Fill = "close" | "next"

/** The rules of a {@link Broker}. All costs are 0 unless said otherwise. */
export interface BrokerOptions {
  /** `"close"` (the default): a decision at t earns p_t → p_{t+1}, as in the challenge. */
  readonly fill?: Fill
  /** Share of the traded value that is paid; 0.001 is 10 basis points. */
  readonly fee?: number
  /** Distance between the prices to buy and to sell at, as a share of the price; half is paid each time. */
  readonly spread?: number
  /** How far the price moves against an order, as a share of it. */
  readonly slippage?: number
  /** The smallest amount that is traded, in units; 0: any fraction. */
  readonly lot?: number
  /** The most that may be sold short, as a share of the equity: 1, and 0 forbids it. */
  readonly shortLimit?: number
  /** What the account begins with, in the quote currency; 100 000. */
  readonly cash?: number
}

const ranges = {
  fee: [0, 0.25],
  spread: [0, 0.25],
  slippage: [0, 0.25],
  lot: [0, Number.MAX_VALUE],
  shortLimit: [0, 1],
  cash: [Number.MIN_VALUE, Number.MAX_VALUE],
} as const

const words = (low: number, high: number) =>
  high === Number.MAX_VALUE
    ? low === 0
      ? "0 or a positive number"
      : "a positive number"
    : `a number from ${low} to ${high}`

/** The rules with their defaults. */
export type BrokerRules = Required<BrokerOptions>

/** Checks rules: costs are from 0 to a quarter, cash is positive. */
export const makeBrokerRules = (
  options: BrokerOptions = {},
): Result.Result<BrokerRules, InvalidBroker> => {
  const rules: BrokerRules = {
    fill: "close",
    fee: 0,
    spread: 0,
    slippage: 0,
    lot: 0,
    shortLimit: 1,
    cash: 100_000,
    ...options,
  }
  for (const name of ["fee", "spread", "slippage", "lot", "shortLimit", "cash"] as const) {
    const [low, high] = ranges[name]
    const found = rules[name]
    if (found >= low && found <= high) continue
    const hint =
      high === 0.25
        ? "costs are shares of the traded value: 10 basis points are 0.001"
        : "leave it out"
    return Result.fail(new InvalidBroker({ option: name, found, expected: words(low, high), hint }))
  }
  return Result.succeed(rules)
}

/** What a trade costs as a share of its value: fee, half the spread, and slippage. */
export const costShare = ({ fee, spread, slippage }: BrokerRules): number =>
  fee + spread / 2 + slippage
