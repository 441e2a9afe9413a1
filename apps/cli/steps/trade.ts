import { hashedEmbeddings } from "@espalier/llm"
import { Step } from "@espalier/pipeline"
import {
  challengeWindows,
  countActions,
  InvalidWindow,
  runAgent,
  scoreDecisions,
} from "@espalier/trading"
import { Effect, Path, Schema } from "effect"
import { localAgentNames, makeLocalAgent } from "../trading/agents.ts"
import { readMarket } from "../trading/read_market.ts"

const amount = (description: string, usual: number) =>
  Schema.Finite.annotate({ description }).pipe(Schema.withDecodingDefault(Effect.succeed(usual)))

const date = (description: string) => Schema.optionalKey(Schema.String.annotate({ description }))

/** `trade/backtest`: an agent over a window. */
export const tradeBacktest = Step.define({
  use: "trade/backtest",
  description:
    "Lets an agent trade a window of prices in a simulation, and scores it by the challenge's metrics and the textbook's. Places no orders.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    path: Schema.String.annotate({ description: "prices and news of one asset" }),
    agent: Schema.Literals(localAgentNames).annotate({ description: "who decides" }),
    asset: Schema.optionalKey(
      Schema.NonEmptyString.annotate({
        description:
          "the asset's name (default: the file's): btc and eth have the challenge's windows",
      }),
    ),
    window: Schema.Literals(["test", "long"])
      .annotate({
        description: "the challenge's window, or the longer one, where there is no from and to",
      })
      .pipe(Schema.withDecodingDefault(Effect.succeed("test" as const))),
    from: date("the first day"),
    to: date("the last day, included"),
    warmUpFrom: date(
      "the first day to learn from, for agents with a memory (default: the challenge's)",
    ),
    warmUpTo: date("the last day to learn from"),
    fill: Schema.Literals(["close", "next"])
      .annotate({ description: "at the price of the decision, or at that of the next entry" })
      .pipe(Schema.withDecodingDefault(Effect.succeed("close" as const))),
    fee: amount("share of the traded value: 0.001 is 10 basis points", 0),
    spread: amount("between the prices to buy and to sell at, as a share", 0),
    slippage: amount("how far the price moves against an order, as a share", 0),
    lot: amount("the smallest amount that is traded, in units", 0),
    shortLimit: amount("the most that is sold short, as a share of the equity", 1),
    cash: amount("what the account begins with", 100_000),
    daysPerYear: amount("365 for cryptocurrencies, 252 for stocks", 365),
  }),
  paths: ["path"],
  usesSeed: true,
  run: ({ config, paths, seed }) =>
    Effect.gen(function* () {
      const path = yield* Path.Path
      const { agent: name, asset = path.parse(paths.path).name, daysPerYear } = config
      const known = Object.entries(challengeWindows).find(
        ([key]) => key === asset.toLowerCase(),
      )?.[1]
      const { market, first, last } = yield* readMarket(paths.path, {
        news: name === "default" ? "text" : "sentiment",
      })
      const usual = known?.[config.window]
      const window = {
        from: config.from ?? usual?.from ?? first,
        to: config.to ?? usual?.to ?? last,
      }
      const warmUp = {
        from: config.warmUpFrom ?? known?.warmUp.from,
        to: config.warmUpTo ?? known?.warmUp.to,
      }
      const { fill, fee, spread, slippage, lot, shortLimit, cash } = config
      const rules = { fill, fee, spread, slippage, lot, shortLimit, cash }
      const agent = makeLocalAgent(name, { asset, seed })
      const remembers = name === "default" && warmUp.from !== undefined && warmUp.to !== undefined
      if (remembers && warmUp.to! >= window.from) {
        return yield* new InvalidWindow({
          path: paths.path,
          ...window,
          detail: `begins before the warm-up ends on ${warmUp.to}: the agent would know what it is tested on`,
          hint: "set warmUpTo to a day before from",
        })
      }
      const learnt = remembers
        ? yield* runAgent(
            agent,
            market,
            { from: warmUp.from!, to: warmUp.to! },
            { phase: "warm-up" },
          )
        : undefined
      const { directions, decisions } = yield* runAgent(agent, market, window, {
        ...rules,
        ...(learnt === undefined ? {} : { state: learnt.state }),
      })
      const score = yield* Effect.fromResult(
        scoreDecisions(market, window, directions, { ...rules, daysPerYear, seed }),
      )
      const { challenge, standard, other, overBuyAndHold, days } = score
      const [low, high] = standard.intervals.totalReturn ?? []
      const [overLow, overHigh] = overBuyAndHold.interval ?? []
      return {
        metrics: {
          ...challenge,
          [`${other.fill}CumulativeReturn`]: other.challenge.cumulativeReturn,
          [`${other.fill}Sharpe`]: other.challenge.sharpe,
          totalReturn: standard.totalReturn,
          totalReturnLow: low,
          totalReturnHigh: high,
          overBuyAndHold: overBuyAndHold.totalReturn,
          overBuyAndHoldLow: overLow,
          overBuyAndHoldHigh: overHigh,
          standard,
          actions: countActions(decisions),
          days,
        },
      }
    }).pipe(Effect.provide(hashedEmbeddings({ dimensions: 256 }))),
})
