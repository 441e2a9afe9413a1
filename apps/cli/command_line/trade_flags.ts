import type { BrokerRules } from "@espalier/trading"
import { Schema } from "effect"
import { Flag } from "effect/cli"
import { commonFlags } from "./common_flags.ts"

const amount = (name: string, description: string, usual: number) =>
  Flag.Finite(name).pipe(Flag.withDescription(description), Flag.withDefault(usual))

/** How orders are filled, and what they cost. */
export const brokerFlags = {
  fill: Flag.Literals("fill", ["close", "next"]).pipe(
    Flag.withDescription(
      "close: a decision at t earns from t to t + 1, as in the challenge; next: from t + 1",
    ),
    Flag.withDefault("close"),
  ),
  fee: amount("fee", "share of the traded value that is paid: 0.001 is 10 basis points", 0),
  spread: amount("spread", "between the prices to buy and to sell at, as a share of the price", 0),
  slippage: amount("slippage", "how far the price moves against an order, as a share of it", 0),
  lot: amount("lot", "the smallest amount that is traded, in units (0: any)", 0),
  shortLimit: amount("short-limit", "the most that is sold short, as a share of the equity", 1),
  cash: amount("cash", "what the account begins with", 100_000),
}

/** How figures are made. */
export const figureFlags = {
  daysPerYear: Flag.Finite("days-per-year").pipe(
    Flag.withSchema(Schema.Finite.check(Schema.isGreaterThan(0))),
    Flag.withDescription("365 for cryptocurrencies, 252 for stocks"),
    Flag.withDefault(365),
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("of the random agent and of the intervals"),
    Flag.withDefault(0),
  ),
}

/** What every command reads. */
export const marketFlags = {
  futureNews: Flag.Literals("future-news", ["refuse", "drop"]).pipe(
    Flag.withDescription(
      "news from a later day than the entry they stand in: an error, or left out",
    ),
    Flag.withDefault("refuse"),
  ),
  data: commonFlags.data,
  json: commonFlags.json,
}

/** Takes the rules of the broker out of the flags. */
export const brokerOptions = (flags: BrokerRules): BrokerRules => {
  const { fill, fee, spread, slippage, lot, shortLimit, cash } = flags
  return { fill, fee, spread, slippage, lot, shortLimit, cash }
}
