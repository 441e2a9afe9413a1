import { hashedEmbeddings } from "@espalier/llm"
import { unreadable } from "@espalier/pipeline"
import { Notices } from "@espalier/runtime"
import {
  actionOf,
  Broker,
  type BrokerRules,
  countActions,
  type Direction,
  parseDecisions,
  type PointInTime,
  runAgent,
  scoreDecisions,
  type Window,
} from "@espalier/trading"
import { Effect, FileSystem, Option, Path } from "effect"
import { Command, Flag } from "effect/cli"
import { tellFailures } from "../language_models/mod.ts"
import {
  isLocalAgentName,
  type LocalAgentName,
  localAgentNames,
  makeLocalAgent,
  unknownAgent,
} from "../trading/agents.ts"
import { dayBefore } from "../trading/day_before.ts"
import { locatePrices, readMarket, tellWindow } from "../trading/read_market.ts"
import { scoreDocument, scoreText } from "../trading/score_text.ts"
import { tellWork } from "./tell_work.ts"
import { writeOut } from "./terminal.ts"
import { brokerFlags, brokerOptions, figureFlags, marketFlags } from "./trade_flags.ts"

const date = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

const flags = {
  prices: Flag.String("prices").pipe(
    Flag.withDescription('prices and news: { "YYYY-MM-DD": { "prices": 123.45, "news": [] } }'),
  ),
  from: date("from", "the first day (default: the first of the file)"),
  to: date("to", "the last day, included (default: the last of the file)"),
  agent: Flag.String("agent").pipe(
    Flag.withDescription(`${localAgentNames.join(", ")}, or a file of decisions`),
    Flag.withDefault("buy-and-hold"),
  ),
  warmUpFrom: date(
    "warm-up-from",
    "let an agent with a memory learn from here to the day before --from",
  ),
  ...figureFlags,
  ...brokerFlags,
  ...marketFlags,
}

/** The decisions of a file for the days of a window. */
const readDecisions = Effect.fnUntraced(function* (
  agent: string,
  market: PointInTime,
  dates: ReadonlyArray<string>,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.resolve(agent)
  const there = yield* Effect.orElseSucceed(fileSystem.exists(file), () => false)
  if (!there) return yield* unknownAgent(agent)
  const text = yield* Effect.mapError(fileSystem.readFileString(file), unreadable(file))
  const read = yield* Effect.fromResult(parseDecisions(text, file, (date) => market.has(date)))
  const inside = new Set(dates)
  const outside = [...read.keys()].filter((date) => !inside.has(date)).length
  if (outside > 0) {
    yield* Notices.report(`${outside} of ${read.size} decisions are of days outside the window`)
  }
  const without = dates.filter((date) => !read.has(date)).length
  if (without > 0) {
    yield* Notices.report(
      `${without} of ${dates.length} days have no decision: no position is held`,
    )
  }
  return new Map<string, Direction>(dates.map((date) => [date, read.get(date) ?? 0]))
})

/** What one of our own agents decides. */
const decide = Effect.fnUntraced(function* (
  name: LocalAgentName,
  market: PointInTime,
  window: Window,
  options: {
    readonly asset: string
    readonly seed: number
    readonly warmUpFrom: Option.Option<string>
  } & BrokerRules,
) {
  const agent = makeLocalAgent(name, options)
  const rules = brokerOptions(options)
  const learnt = Option.isSome(options.warmUpFrom)
    ? yield* runAgent(
        agent,
        market,
        { from: options.warmUpFrom.value, to: dayBefore(window.from) },
        { phase: "warm-up" },
      )
    : undefined
  const state = learnt === undefined ? {} : { state: learnt.state }
  const { directions } = yield* runAgent(agent, market, window, { ...rules, ...state })
  return directions
})

/** `espalier trade score --prices FILE --from DATE --to DATE --agent … --json`. */
export const tradeScoreCommand = Command.make(
  "score",
  flags,
  Effect.fnUntraced(function* (options) {
    const path = yield* Path.Path
    const { agent, daysPerYear, seed } = options
    const work = Effect.gen(function* () {
      const file = yield* locatePrices(options.prices, options.data)
      const { futureNews } = options
      const texts = Option.getOrUndefined(options.warmUpFrom) ?? Option.getOrUndefined(options.from)
      const { market, first, last } = yield* readMarket(file, {
        futureNews,
        // Only an agent with a memory reads; the others go by counts, which take no room.
        news: agent === "default" ? "text" : "sentiment",
        ...(texts === undefined ? {} : { newsFrom: texts }),
        ...(Option.isSome(options.to) ? { newsTo: options.to.value } : {}),
      })
      const window = {
        from: Option.getOrElse(options.from, () => first),
        to: Option.getOrElse(options.to, () => last),
      }
      const rules = brokerOptions(options)
      const { dates, cut } = yield* Effect.fromResult(Broker.open(market, window, rules))
      yield* tellWindow(dates, window, cut)
      const asset = path.parse(file).name
      const directions = isLocalAgentName(agent)
        ? yield* decide(agent, market, window, { ...options, asset })
        : yield* readDecisions(agent, market, dates)
      const score = yield* Effect.fromResult(
        scoreDecisions(market, window, directions, { ...rules, daysPerYear, seed }),
      )
      const actions = countActions([...directions.values()].map((d) => ({ action: actionOf(d) })))
      return [score, { agent, daysPerYear, actions }] as const
    })
    const [score, about] = yield* work.pipe(
      tellWork("trade score"),
      Effect.provide(hashedEmbeddings({ dimensions: 256 })),
      tellFailures,
    )
    const told = options.json
      ? JSON.stringify(scoreDocument(score, about), null, 2)
      : scoreText(score, about)
    yield* writeOut(`${told}\n`)
  }),
).pipe(
  Command.withDescription(
    "Score an agent, or a file of decisions, on any file of prices: the challenge's metrics and the textbook's",
  ),
)
