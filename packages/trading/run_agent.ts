import { Checkpoint, Progress } from "@espalier/runtime"
import { Effect, Option, Schema } from "effect"
import { type Action, type Direction, directionOf } from "./action.ts"
import type { Agent, Decision } from "./agent.ts"
import { Broker } from "./broker.ts"
import type { BrokerOptions } from "./broker_options.ts"
import { AgentStateError } from "./errors.ts"
import { type Observation, outcomesOf, type PointInTime } from "./point_in_time.ts"
import type { Window } from "./window.ts"

/** A decision and its day. */
export interface DatedDecision extends Decision {
  readonly date: string
  readonly price: number
}

/** How an agent is run. */
export interface RunAgentOptions extends BrokerOptions {
  /** `"warm-up"`: each day comes with how the price went on. `"test"`, the default: none does. */
  readonly phase?: "warm-up" | "test"
  /** What an earlier run gave as `state`: a test begins with what the warm-up learnt. */
  readonly state?: unknown
  /**
   * Name of the checkpoint (`Checkpoint` of `@espalier/runtime`) that each day ends with. It has to say all
   * that the decisions depend on; the run goes on after the last day that is kept under it.
   */
  readonly checkpoint?: string
}

/** What an agent did. */
export interface AgentRun {
  readonly agent: string
  readonly decisions: ReadonlyArray<DatedDecision>
  /** The positions that were asked for, by date. */
  readonly directions: ReadonlyMap<string, Direction>
  /** What the agent has learnt, as plain JSON. */
  readonly state: unknown
  /** How many days an earlier run had done. */
  readonly resumed: number
}

const Saved = Schema.fromJsonString(
  Schema.Struct({
    decisions: Schema.Array(
      Schema.StructWithRest(
        Schema.Struct({
          date: Schema.String,
          price: Schema.Finite,
          action: Schema.Literals(["buy", "sell", "hold"]),
        }),
        [Schema.Record(Schema.String, Schema.Unknown)],
      ),
    ),
    state: Schema.Unknown,
  }),
)

interface Progressed {
  readonly decisions: ReadonlyArray<DatedDecision>
  readonly state: unknown
}

const load = Effect.fnUntraced(function* (name: string | undefined) {
  if (name === undefined) return undefined
  const files = yield* Checkpoint.load(name)
  if (Option.isNone(files)) return undefined
  const text = new TextDecoder().decode(files.value["run.json"])
  const saved: Progressed | undefined = Option.getOrUndefined(
    Schema.decodeUnknownOption(Saved)(text),
  )
  return saved
})

/** What an agent is told at a date, which is one of the market's. */
const observe = (market: PointInTime, date: string, lookBack: number): Observation =>
  market.at(date, lookBack)!

/**
 * Runs an agent over a window, day by day: it observes, the broker tells it what its last position came
 * to, it decides, the order is filled. Every day ends with a checkpoint, where one is named: a run that
 * was killed, or ran out of its budget, goes on after the last day, and gives the same in the end.
 *
 * Progress counts days.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { makePriceReader, momentum, PointInTime, type PriceSeries, runAgent } from "@espalier/trading"
 *
 * const reader = makePriceReader("p.json")
 * reader.feed(`{ "2023-01-01": { "prices": 20 }, "2023-01-02": { "prices": 21 }, "2023-01-03": { "prices": 20 } }`)
 * const market = PointInTime.make(reader.end() as PriceSeries)
 * const window = { from: "2023-01-02", to: "2023-01-03" }
 * const { decisions } = await Effect.runPromise(runAgent(momentum({ records: 1 }), market, window))
 * console.log(decisions.map(({ action }) => action)) // [ 'buy', 'sell' ]
 * ```
 */
export const runAgent = Effect.fnUntraced(function* <E, R>(
  agent: Agent<E, R>,
  market: PointInTime,
  window: Window,
  options: RunAgentOptions = {},
) {
  const { phase = "test", checkpoint, state, ...rules } = options
  const broker = yield* Effect.fromResult(Broker.open(market, window, rules))
  const kept = yield* load(checkpoint)
  const decisions: Array<DatedDecision> = [...(kept?.decisions ?? [])]
  const matches = decisions.every(({ date }, i) => date === broker.dates[i])
  if (!matches) {
    return yield* new AgentStateError({
      agent: agent.name,
      detail: "its checkpoint is of other days",
      hint: "remove the checkpoint, or name another",
    })
  }
  const session = yield* agent.begin(kept === undefined ? state : kept.state)
  const { days, next } = yield* Effect.fromResult(outcomesOf(market, window))
  for (const { action } of decisions) broker.order(directionOf(action))
  const task = phase === "test" ? "trading" : "learning"
  const report = (note?: string) =>
    Progress.report({
      task,
      completed: decisions.length,
      total: broker.dates.length,
      unit: "days",
      ...(note === undefined ? {} : { note }),
    })
  yield* report()
  const resumed = decisions.length
  for (const [i, { date, price }] of [...days.entries()].slice(resumed)) {
    const observation = observe(market, date, agent.lookBack)
    let decision: Decision
    if (phase === "test") {
      decision = yield* session.decide(observation, broker.portfolio()!)
    } else {
      const later = days[i + 1] ?? next
      // The last entry of a file teaches nothing: nobody knows how it goes on.
      if (later === undefined) break
      decision = yield* session.learn({ observation, change: Math.log(later.price / price) })
    }
    broker.order(directionOf(decision.action))
    decisions.push({ date, price, ...decision })
    if (checkpoint !== undefined) {
      const text = JSON.stringify({ decisions, state: session.save() })
      yield* Checkpoint.save(checkpoint, { "run.json": new TextEncoder().encode(text) })
    }
    yield* report(`${date} ${decision.action}`)
  }
  const directions = new Map<string, Direction>()
  const run: AgentRun = {
    agent: agent.name,
    decisions,
    directions,
    state: session.save(),
    resumed,
  }
  for (const { date, action } of decisions) directions.set(date, directionOf(action))
  return run
})

/** How often each action was taken. */
export const countActions = (
  decisions: ReadonlyArray<{ readonly action: Action }>,
): Readonly<Record<Action, number>> => {
  const counts = { buy: 0, sell: 0, hold: 0 }
  for (const { action } of decisions) counts[action]++
  return counts
}
