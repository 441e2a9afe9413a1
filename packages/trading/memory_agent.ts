import { Effect, Option, Schema } from "effect"
import { type AiError, EmbeddingModel } from "effect/ai"
import type { Action } from "./action.ts"
import type { Agent, AgentSession, Decision, Portfolio } from "./agent.ts"
import { AgentStateError } from "./errors.ts"
import { LayeredMemory, type ScoredMemory } from "./memory/layered_memory.ts"
import type { LayerRules, MemoryLayer } from "./memory/layers.ts"
import type { SentimentCounts } from "./news.ts"
import type { Lesson, Observation } from "./point_in_time.ts"
import { type Profile, riskOf } from "./profile.ts"

/** What a strategy goes by in the test phase. */
export interface StrategyDay {
  readonly observation: Observation
  readonly portfolio: Portfolio
  readonly recalled: ReadonlyArray<ScoredMemory>
  readonly risk: "seeking" | "averse"
}

/** What a strategy goes by in the warm-up. */
export interface StrategyLesson extends Lesson {
  readonly recalled: ReadonlyArray<ScoredMemory>
}

/** What a strategy says. */
export interface Choice {
  readonly action: Action
  readonly reason: string
  /** The memories it went by: some of those that were recalled. */
  readonly cited: ReadonlyArray<number>
  /** Those it names and was never shown. */
  readonly invented: ReadonlyArray<number>
}

/** How an agent with a memory makes up its mind; the memory itself is the same for all. */
export interface Strategy<E = never, R = never> {
  readonly decide: (day: StrategyDay) => Effect.Effect<Choice, E, R>
  /** Explains a day whose outcome it knows. */
  readonly explain: (lesson: StrategyLesson) => Effect.Effect<Choice, E, R>
}

/** What an agent with a memory is made of. */
export interface MemoryAgentOptions {
  readonly profile: Profile
  readonly rules?: LayerRules
  /** Memories that come back from each layer; 5. */
  readonly recall?: number
}

const lookBack = 30

/** How many of the last settled decisions decide whether an adaptive agent is careful. */
const settledKept = 3

const OpenDecision = Schema.Struct({
  date: Schema.String,
  action: Schema.Literals(["buy", "sell", "hold"]),
  reason: Schema.String,
  cited: Schema.Array(Schema.Int),
  digest: Schema.String,
  vector: Schema.Array(Schema.Finite),
})
const Saved = Schema.Struct({
  memory: Schema.Unknown,
  open: Schema.Array(OpenDecision),
  settled: Schema.Array(Schema.Finite),
})

/** The mean label of some days' news, from −1 to 1; 0 without news. */
export const meanLabel = (days: ReadonlyArray<SentimentCounts>): number => {
  let [sum, count] = [0, 0]
  for (const { positive, negative, neutral } of days) {
    sum += positive - negative
    count += positive + negative + neutral
  }
  return count === 0 ? 0 : sum / count
}

const percent = (share: number) => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)} %`

/** A day in a line, as reflections have it. */
const digestOf = ({ date, prices, sentiment }: Observation): string => {
  const { positive, negative, neutral, unlabelled } = sentiment
  const before = prices[prices.length - 4]
  const last = prices[prices.length - 1]
  const change =
    before === undefined ? "" : `, ${percent(last.price / before.price - 1)} in three entries`
  const count = positive + negative + neutral + unlabelled
  return `${date}: ${count} news (${positive} positive, ${negative} negative)${change}`
}

/** What came in that day, with the layer it goes to. */
const arrivals = (observation: Observation, usual: number) => [
  ...observation.news.map(({ text, sentiment }) => {
    const label = sentiment === "positive" ? 1 : sentiment === "negative" ? -1 : 0
    return {
      layer: "short" as const,
      text,
      // How much better or worse than news usually are: most of them are positive.
      stance: sentiment === undefined ? 0 : label - usual,
      weight: label === 0 ? 0 : 20,
    }
  }),
  ...observation.quarterly.map((text) => ({ layer: "mid" as const, text, stance: 0, weight: 0 })),
  ...observation.annual.map((text) => ({ layer: "long" as const, text, stance: 0, weight: 0 })),
]

const meanVector = (vectors: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> => {
  const width = vectors.reduce((most, { length }) => Math.max(most, length), 0)
  return Array.from(
    { length: width },
    (_, i) => vectors.reduce((sum, vector) => sum + (vector[i] ?? 0), 0) / vectors.length,
  )
}

/**
 * An agent with FinMem's layered memory. Each day: what came in is taken in, the memory is asked what is
 * like it, the strategy decides, and the decision is kept until it is settled; then what it went by gains
 * or loses importance, all of it fades, some is forgotten, some moves to another layer. In the warm-up the
 * outcome of the day is known, and a reflection says so; in the test phase a reflection comes when the
 * broker has settled a decision.
 *
 * Texts are embedded by the `EmbeddingModel` of `effect/ai` in the context.
 */
export const makeMemoryAgent = <E, R>(
  name: string,
  strategy: Strategy<E, R>,
  options: MemoryAgentOptions,
): Agent<E | AiError.AiError, R | EmbeddingModel.EmbeddingModel> => {
  const { profile, rules, recall = 5 } = options

  const embed = Effect.fnUntraced(function* (texts: ReadonlyArray<string>) {
    if (texts.length === 0) return []
    const model = yield* EmbeddingModel.EmbeddingModel
    const { embeddings } = yield* model.embedMany(texts)
    return embeddings.map(({ vector }) => vector)
  })

  const begin = Effect.fnUntraced(function* (saved?: unknown) {
    const decoded = saved === undefined || saved === null ? undefined : decodeSaved(saved)
    const memory =
      decoded === undefined
        ? new LayeredMemory(rules)
        : LayeredMemory.restore(decoded?.memory, rules)
    if (decoded === null || memory === undefined) {
      return yield* new AgentStateError({
        agent: name,
        detail: "it is not what an agent with a memory saves",
        hint: "warm up anew: espalier trade warm-up",
      })
    }
    let open = decoded?.open ?? []
    let settled = decoded?.settled ?? []

    /** Ingest and query. */
    const meet = Effect.fnUntraced(function* (observation: Observation) {
      const { date, sentiments } = observation
      const arrived = arrivals(observation, meanLabel(sentiments))
      const vectors = yield* embed(arrived.map(({ text }) => text))
      arrived.forEach((arrival, i) => memory.add({ ...arrival, date, vector: vectors[i] }))
      const vector = meanVector(vectors)
      return { vector, recalled: memory.recall(vector, recall) }
    })

    const reflect = (date: string, text: string, stance: number, vector: ReadonlyArray<number>) =>
      memory.add({ layer: "reflection", date, text, stance, vector })

    /** Decay, clean, promote. */
    const age = ({ daysSince }: Observation) => {
      memory.decay(Math.max(1, daysSince))
      memory.clean()
      memory.promote()
    }

    const decisionOf = (
      { action, reason, cited, invented }: Choice,
      recalled: ReadonlyArray<ScoredMemory>,
    ): Decision => ({
      action,
      reason,
      recalled: recalled.map(({ id, layer, date, text, score }) => ({
        id,
        layer,
        date,
        text,
        score,
      })),
      cited,
      invented,
    })

    const session: AgentSession<E | AiError.AiError, R | EmbeddingModel.EmbeddingModel> = {
      decide: Effect.fnUntraced(function* (observation, portfolio) {
        const { vector, recalled } = yield* meet(observation)
        const risk = riskOf(profile, settled)
        const choice = yield* strategy.decide({ observation, portfolio, recalled, risk })
        const result = portfolio.settled
        const known = open.filter(({ date }) => date === result?.decided)
        if (result !== undefined && known.length > 0) {
          const [{ date, reason, cited, digest, vector }] = known
          memory.feedback(cited, result.profit)
          const [before, now] = observation.prices.slice(-2)
          const change = Math.log(now.price / before.price)
          reflect(
            date,
            `${digest}. ${reason} Then ${percent(Math.expm1(change))}.`,
            Math.sign(change),
            vector,
          )
          settled = [...settled, result.profit].slice(-settledKept)
        }
        // Decisions that are settled, or never will be, are closed.
        open = [
          ...open.filter(({ date }) => result === undefined || date > result.decided),
          {
            date: observation.date,
            action: choice.action,
            reason: choice.reason,
            cited: choice.cited,
            digest: digestOf(observation),
            vector,
          },
        ].slice(-settledKept)
        age(observation)
        return decisionOf(choice, recalled)
      }),
      learn: Effect.fnUntraced(function* (lesson) {
        const { observation, change } = lesson
        const { vector, recalled } = yield* meet(observation)
        const choice = yield* strategy.explain({ ...lesson, recalled })
        // What spoke for the right action, which is the one that the change rewards.
        memory.feedback(choice.cited, Math.abs(change))
        const text = `${digestOf(observation)}. ${choice.reason} Then ${percent(Math.expm1(change))}.`
        reflect(observation.date, text, Math.sign(change), vector)
        age(observation)
        return decisionOf(choice, recalled)
      }),
      save: () => ({ memory: memory.save(), open, settled }),
    }
    return session
  })
  return { name, lookBack, begin }
}

/** What an agent saved; `null` where it is something else. */
const decodeSaved = (saved: unknown): typeof Saved.Type | null =>
  Option.getOrNull(Schema.decodeUnknownOption(Saved)(saved))

/** How many memories of each layer a saved state of an agent with a memory has. */
export const countMemories = (
  state: unknown,
): Readonly<Record<MemoryLayer, number>> | undefined => {
  const saved = decodeSaved(state)
  return saved === null ? undefined : LayeredMemory.restore(saved.memory)?.counts()
}
