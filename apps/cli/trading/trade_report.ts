import {
  type Block,
  type Cell,
  plainTable,
  type PointChart,
  type ReportDocument,
  type Section,
} from "@espalier/report"
import { daysBetween, maxDrawdown, type Score } from "@espalier/trading"
import { formatNumber } from "../command_line/table.ts"
import { countInvented, type TradeRun } from "./run_file.ts"
import { littleProven } from "./score_text.ts"

/** An agent and what its decisions came to, without costs beside its own and at 10 basis points. */
export interface ReportedAgent {
  readonly name: string
  readonly score: Score
  readonly costly: Score
}

/** What a report is made from. */
export interface TradeReport {
  readonly run: TradeRun
  readonly warmUp: TradeRun | undefined
  /** The run's own, then the baselines. */
  readonly agents: ReadonlyArray<ReportedAgent>
}

const number = (value: number | null): Cell =>
  value === null ? { text: "–" } : { text: formatNumber(value), style: "number" }

const interval = (ends: readonly [number, number] | null): Cell =>
  ends === null
    ? { text: "–" }
    : { text: `${formatNumber(ends[0])} … ${formatNumber(ends[1])}`, style: "number" }

const share = (value: number) => `${Number((100 * value).toFixed(1))} %`

/** A number on an axis, with no more digits than it needs. */
const tick = (value: number) => String(Number(value.toPrecision(4)))

const dateAt = (first: string, day: number) =>
  new Date(Date.parse(`${first}T00:00:00Z`) + Math.round(day) * 86_400_000)
    .toISOString()
    .slice(0, 10)

const chart = (
  title: string,
  unit: string,
  first: string,
  format: (value: number) => string,
  series: ReadonlyArray<{
    readonly name: string
    readonly dates: ReadonlyArray<string>
    readonly values: ReadonlyArray<number>
  }>,
): Block => ({
  kind: "chart",
  chart: {
    kind: "points",
    title,
    x: { title: "date", format: (day) => dateAt(first, day) },
    y: { title: unit, format },
    series: series.map(({ name, dates, values }) => ({
      name,
      joined: true,
      points: values.map((y, i) => ({ x: daysBetween(first, dates[i]), y })),
    })),
    levels: [],
  } satisfies PointChart,
})

const datesOf = ({ statements }: Score) => statements.map(({ date }) => date)

/** The equity in multiples of what it began with. */
const growthOf = ({ statements }: Score) =>
  statements.map(({ equity }) => equity / statements[0].equity)

const drawdownsOf = (score: Score) => {
  const growth = growthOf(score)
  let peak = -Infinity
  return growth.map((value) => {
    peak = Math.max(peak, value)
    return value / peak - 1
  })
}

/** Steps from one position to the next, one point before and one after each change. */
const positionSteps = ({ statements }: Score) => {
  const points = statements.flatMap(({ date, held }, i) => {
    const before = statements[i - 1]?.held
    return before === undefined || before === held
      ? [{ date, held }]
      : [
          { date, held: before },
          { date, held },
        ]
  })
  return { dates: points.map(({ date }) => date), values: points.map(({ held }) => held) }
}

const table = (
  caption: string,
  columns: ReadonlyArray<string>,
  agents: ReadonlyArray<ReportedAgent>,
  cells: (agent: ReportedAgent) => ReadonlyArray<Cell>,
): Block =>
  plainTable(
    caption,
    "agent",
    columns,
    agents.map((agent) => [agent.name, cells(agent)]),
  )

const challengeColumns = ["cumulative return (log)", "Sharpe", "annual volatility", "max drawdown"]

const challengeCells = ({ challenge }: Pick<Score, "challenge">) => [
  number(challenge.cumulativeReturn),
  number(challenge.sharpe),
  number(challenge.annualVolatility),
  number(challenge.maxDrawdown),
]

const resultSection = ({ agents }: TradeReport): Section => {
  const [{ score }] = agents
  const ways = [
    ["", ({ score }: ReportedAgent) => score],
    [`, filled at ${score.other.fill}`, ({ score }: ReportedAgent) => score.other],
    [", at 10 basis points more", ({ costly }: ReportedAgent) => costly],
  ] as const
  return {
    id: "results",
    title: "Results",
    blocks: [
      ...ways.map(([way, scoreOf]) =>
        table(`the challenge's metrics${way}`, challengeColumns, agents, (agent) =>
          challengeCells(scoreOf(agent)),
        ),
      ),
      table(
        "the textbook's metrics",
        [
          "total return",
          "95 % interval",
          "Sharpe",
          "95 % interval",
          "Sortino",
          "Calmar",
          "turnover",
          "exposure",
          "win rate",
          "costs",
        ],
        agents,
        ({ score: { standard } }) => [
          number(standard.totalReturn),
          interval(standard.intervals.totalReturn),
          number(standard.sharpe),
          interval(standard.intervals.sharpe),
          number(standard.sortino),
          number(standard.calmar),
          number(standard.turnover),
          number(standard.exposure),
          number(standard.winRate),
          number(standard.costs),
        ],
      ),
      table(
        "total return over buying and holding",
        ["difference", "95 % interval", "proven"],
        agents,
        ({ score: { overBuyAndHold } }) => {
          const [low, high] = overBuyAndHold.interval ?? [0, 0]
          const proven = low > 0 ? "better" : high < 0 ? "worse" : "no"
          return [
            number(overBuyAndHold.totalReturn),
            interval(overBuyAndHold.interval),
            { text: proven },
          ]
        },
      ),
    ],
  }
}

const curveSection = ({ agents }: TradeReport): Section => {
  const [own] = agents
  const first = own.score.from
  const hold = agents.find(({ name }) => name === "buy-and-hold")
  const series = (
    of: ReadonlyArray<ReportedAgent>,
    valuesOf: (score: Score) => ReadonlyArray<number>,
  ) => of.map(({ name, score }) => ({ name, dates: datesOf(score), values: valuesOf(score) }))
  const pair = hold === undefined || hold === own ? [own] : [own, hold]
  const months = agents.map(({ score }) => growthOf(score))
  const dates = datesOf(own.score)
  const rows = dates.flatMap((date, i) =>
    i === dates.length - 1 || date.slice(0, 7) !== dates[i + 1].slice(0, 7) ? [i] : [],
  )
  return {
    id: "equity",
    title: "Equity, drawdown and positions",
    blocks: [
      chart(
        "Equity, in multiples of the beginning",
        "equity",
        first,
        tick,
        series(agents, growthOf),
      ),
      plainTable(
        "equity at the end of each month",
        "date",
        agents.map(({ name }) => name),
        rows.map((i) => [dates[i], months.map((growth) => number(growth[i]))]),
      ),
      chart("Drawdown", "below the highest so far", first, share, series(pair, drawdownsOf)),
      plainTable(
        "deepest drawdown",
        "agent",
        ["drawdown"],
        pair.map(({ name, score }) => [name, [number(maxDrawdown(growthOf(score)))]]),
      ),
      chart("Position of the agent", "−1 short, 1 long", first, tick, [
        { name: own.name, ...positionSteps(own.score) },
      ]),
    ],
  }
}

const shorten = (text: string, most: number) =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text

const decisionSection = ({ run, agents }: TradeReport): Section => {
  const statements = new Map(agents[0].score.statements.map((each) => [each.date, each]))
  return {
    id: "decisions",
    title: "Decisions, and the memories that led to them",
    blocks: run.decisions.map((decision): Block => {
      const {
        date,
        action,
        price,
        reason = "",
        recalled = [],
        cited = [],
        invented = [],
      } = decision
      const statement = statements.get(date)
      const went = new Set(cited)
      const memories = recalled.filter(({ id }) => went.has(id))
      const equity =
        statement === undefined ? [] : [{ text: `equity ${formatNumber(statement.equity)}` }]
      return {
        kind: "details",
        summary: [
          { text: date },
          { text: action },
          { text: `price ${formatNumber(price)}` },
          ...equity,
        ],
        blocks: [
          ...(reason === "" ? [] : [{ kind: "text" as const, text: reason }]),
          ...(memories.length === 0
            ? [{ kind: "text" as const, text: `None of ${recalled.length} memories spoke for it.` }]
            : [
                plainTable(
                  `${memories.length} of the ${recalled.length} memories shown`,
                  "memory",
                  ["layer", "came", "score", "text"],
                  memories.map(({ id, layer, date, score, text }) => [
                    String(id),
                    [
                      { text: layer },
                      { text: date },
                      number(score),
                      { text: shorten(text.replaceAll(/\s+/g, " "), 180) },
                    ],
                  ]),
                ),
              ]),
          ...(invented.length === 0
            ? []
            : [
                {
                  kind: "note" as const,
                  tone: "notice" as const,
                  title: "Memories that it was not shown",
                  lines: [invented.join(", ")],
                },
              ]),
        ],
      }
    }),
  }
}

/** The report of a test: everything but its form. */
export const tradeReport = (report: TradeReport): ReportDocument => {
  const { run, warmUp, agents } = report
  const { score } = agents[0]
  const { broker, decisions, model } = run
  const invented = countInvented(decisions)
  const text = (name: string, words: string): readonly [string, ReadonlyArray<Cell>] => [
    name,
    [{ text: words }],
  ]
  const learnt =
    warmUp === undefined ? "none" : `${warmUp.from} … ${warmUp.to}, ${warmUp.decisions.length} days`
  return {
    title: `${run.asset.toUpperCase()}: ${run.agent}`,
    description: `One decision a day from ${score.from} to ${score.to}, in a simulation. No order was placed anywhere.`,
    head: [
      {
        kind: "facts",
        facts: [
          text("agent", run.agent),
          ...(model === null ? [] : [text("language model", model)]),
          text("window", `${score.from} … ${score.to}, ${score.days} days`),
          text("days without a price", `${score.gaps.days} in ${score.gaps.count} gaps`),
          text("warm-up", learnt),
          text("filled at", broker.fill),
          text(
            "costs",
            `fee ${share(broker.fee)}, spread ${share(broker.spread)}, slippage ${share(broker.slippage)}`,
          ),
        ],
      },
      {
        kind: "note",
        tone: "notice",
        title: "How little this proves",
        lines: [
          littleProven(score.days),
          "The intervals are of the stationary block bootstrap: other stretches of such days. Where the interval over buying and holding has 0 in it, the agent is not shown to be better or worse than doing nothing.",
        ],
      },
      ...(run.complete
        ? []
        : [
            {
              kind: "note" as const,
              tone: "error" as const,
              title: "Not finished",
              lines: [
                `${decisions.length} of ${run.days} days were decided; the figures are of these.`,
              ],
            },
          ]),
      ...(invented === 0
        ? []
        : [
            {
              kind: "note" as const,
              tone: "notice" as const,
              title: "Memories that were made up",
              lines: [
                `The agent named ${invented} memories that it had not been shown. They are marked below.`,
              ],
            },
          ]),
    ],
    sections: [resultSection(report), curveSection(report), decisionSection(report)],
  }
}
