import { hashedEmbeddings } from "@espalier/llm"
import { Step } from "@espalier/pipeline"
import {
  type Agent,
  challengeWindows,
  countActions,
  InvalidWindow,
  languageModelAgent,
  profileOf,
  runAgent,
  scoreDecisions,
} from "@espalier/trading"
import { Effect, Path, Schema } from "effect"
import { tellFailures } from "../language_models/mod.ts"
import {
  languageModelFields,
  languageModelInputs,
  languageModelOperational,
  languageModelPaths,
  languageModelUsage,
  stepLanguageModel,
} from "../language_models/step_language_model.ts"
import { localAgentNames, makeLocalAgent } from "../trading/agents.ts"
import { readMarket } from "../trading/read_market.ts"
import { countInvented } from "../trading/run_file.ts"

const amount = (description: string, usual: number) =>
  Schema.Finite.annotate({ description }).pipe(Schema.withDecodingDefault(Effect.succeed(usual)))

const date = (description: string) => Schema.optionalKey(Schema.String.annotate({ description }))

/** What both steps are told: the market, the window, and the rules of the broker. */
const marketFields = {
  path: Schema.String.annotate({ description: "prices and news of one asset" }),
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
}

const Market = Schema.Struct(marketFields)

/** Who trades, and what it goes by. */
interface Trader<E, R> {
  readonly makeAgent: (asset: string) => Agent<E, R>
  /** Whether it learns in the warm-up, and reads the news. */
  readonly remembers: boolean
  /** Whether each day is kept, so that nobody is asked again. */
  readonly keepsDays: boolean
}

/** Lets somebody learn and trade, and scores what came of it. */
const backtest = Effect.fnUntraced(
  function* <E, R>(
    { makeAgent, remembers, keepsDays }: Trader<E, R>,
    config: typeof Market.Type,
    file: string,
    seed: number,
  ) {
    const path = yield* Path.Path
    const { asset = path.parse(file).name, daysPerYear } = config
    const known = Object.entries(challengeWindows).find(([key]) => key === asset.toLowerCase())?.[1]
    const { market, first, last } = yield* readMarket(file, {
      news: remembers ? "text" : "sentiment",
    })
    const usual = known?.[config.window]
    const window = {
      from: config.from ?? usual?.from ?? first,
      to: config.to ?? usual?.to ?? last,
    }
    const { fill, fee, spread, slippage, lot, shortLimit, cash } = config
    const rules = { fill, fee, spread, slippage, lot, shortLimit, cash }
    const agent = makeAgent(asset)
    const [from, to] = [
      config.warmUpFrom ?? known?.warmUp.from,
      config.warmUpTo ?? known?.warmUp.to,
    ]
    const warmUp = remembers && from !== undefined && to !== undefined ? { from, to } : undefined
    if (warmUp !== undefined && warmUp.to >= window.from) {
      return yield* new InvalidWindow({
        path: file,
        ...window,
        detail: `begins before the warm-up ends on ${warmUp.to}: the agent would know what it is tested on`,
        hint: "set warmUpTo to a day before from",
      })
    }
    const keptAs = (checkpoint: string) => (keepsDays ? { checkpoint } : {})
    const learnt =
      warmUp === undefined
        ? undefined
        : yield* runAgent(agent, market, warmUp, { phase: "warm-up", ...keptAs("warm-up") })
    const { directions, decisions } = yield* runAgent(agent, market, window, {
      ...rules,
      ...(learnt === undefined ? {} : { state: learnt.state }),
      ...keptAs("test"),
    })
    const score = yield* Effect.fromResult(
      scoreDecisions(market, window, directions, { ...rules, daysPerYear, seed }),
    )
    const { challenge, standard, other, overBuyAndHold, days } = score
    const [low, high] = standard.intervals.totalReturn ?? []
    const [overLow, overHigh] = overBuyAndHold.interval ?? []
    const metrics = {
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
    }
    return { decisions, metrics }
  },
  Effect.provide(hashedEmbeddings({ dimensions: 256 })),
)

/** `trade/backtest`: an agent over a window. */
export const tradeBacktest = Step.define({
  use: "trade/backtest",
  description:
    "Lets an agent trade a window of prices in a simulation, and scores it by the challenge's metrics and the textbook's. Places no orders.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    ...marketFields,
    agent: Schema.Literals(localAgentNames).annotate({ description: "who decides" }),
  }),
  paths: ["path"],
  usesSeed: true,
  run: ({ config, paths, seed }) => {
    const makeAgent = (asset: string) => makeLocalAgent(config.agent, { asset, seed })
    const trader = { makeAgent, remembers: config.agent === "default", keepsDays: false }
    return Effect.map(backtest(trader, config, paths.path, seed), ({ metrics }) => ({ metrics }))
  },
})

/** `trade/ask`: a language model over a window. */
export const tradeAsk = Step.define({
  use: "trade/ask",
  description:
    "Lets a language model with a layered memory learn from a warm-up and trade a window of prices in a simulation. Places no orders.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({ ...marketFields, ...languageModelFields }),
  paths: ["path", ...languageModelPaths],
  operational: languageModelOperational,
  inputs: languageModelInputs,
  usesDevice: true,
  usesSeed: true,
  run: ({ config, paths, inputs, seed }) =>
    Effect.gen(function* () {
      const makeAgent = (asset: string) => languageModelAgent({ profile: profileOf(asset) })
      const trader = { makeAgent, remembers: true, keepsDays: true }
      const { decisions, metrics } = yield* backtest(trader, config, paths.path, seed)
      const usage = yield* languageModelUsage
      return {
        metrics: { ...metrics, inventedMemories: countInvented(decisions), ...usage },
        files: { "decisions.json": `${JSON.stringify(decisions, null, 1)}\n` },
      }
    }).pipe(Effect.provide(stepLanguageModel(config, paths, inputs)), tellFailures),
})
