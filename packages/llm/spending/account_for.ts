import { Effect } from "effect"
import type { Response } from "effect/ai"
import type { Provider } from "../provider.ts"
import { Budget } from "./budget.ts"
import { estimateTokens } from "./estimate_tokens.ts"
import { Ledger, type LedgerEntry } from "./ledger.ts"
import { costOf, type Price, type TokenUsage } from "./prices.ts"

/** What is known of a call before it is made. */
export interface PlannedWork {
  readonly kind: LedgerEntry["kind"]
  /** All text that is sent. */
  readonly prompt: string
  readonly maxTokens: number | undefined
}

/** What is known of who is paid. */
type Payee = Pick<Provider, "name" | "model" | "price">

type ServedUsage = typeof Response.Usage.Encoded

const free: Price = { input: 0, output: 0 }

/** What the server counted, or `undefined` where it did not. */
const countedUsage = (usage: ServedUsage | undefined): TokenUsage | undefined => {
  const [input, output] = [usage?.inputTokens.total, usage?.outputTokens.total]
  if (typeof input !== "number" || typeof output !== "number") return undefined
  const { cacheRead, cacheWrite } = usage?.inputTokens ?? {}
  return { input, cachedInput: cacheRead ?? 0, cacheWrite: cacheWrite ?? 0, output }
}

const estimatedUsage = (prompt: string, answer: string): TokenUsage => ({
  input: estimateTokens(prompt),
  cachedInput: 0,
  cacheWrite: 0,
  output: estimateTokens(answer),
})

/** Books the calls of a provider with the `Budget` and the `Ledger` of the call, else of the layer. */
export const accountFor = Effect.fnUntraced(function* (payee: Payee) {
  const builtWith = { budget: yield* Budget, ledger: yield* Ledger }
  const price = payee.price === "free" ? free : payee.price
  const { name: provider, model } = payee

  const services = Effect.gen(function* () {
    const [budget, ledger] = [yield* Budget, yield* Ledger]
    return {
      budget: budget === Budget.defaultValue() ? builtWith.budget : budget,
      ledger: ledger === Ledger.defaultValue() ? builtWith.ledger : ledger,
    }
  })

  /** Sets aside what a call may need; it is to be ended once, whatever happens. */
  const begin = Effect.fnUntraced(function* (work: PlannedWork) {
    const { budget, ledger } = yield* services
    const inputTokens = estimateTokens(work.prompt)
    const { maxTokens, kind } = work
    const reservation = yield* budget.reserve({ provider, model, inputTokens, maxTokens, price })
    return {
      end: Effect.fnUntraced(function* (usage: ServedUsage | undefined, answer: string) {
        const counted = countedUsage(usage)
        const used = counted ?? estimatedUsage(work.prompt, answer)
        yield* reservation.settle(used)
        yield* ledger.record({
          provider,
          model,
          kind,
          usage: used,
          estimated: counted === undefined,
          replayed: false,
          cost: price === undefined ? undefined : costOf(price, used),
        })
      }),
      fail: reservation.settle(undefined),
    }
  })

  /** Writes down that a cassette answered. */
  const replayed = Effect.fnUntraced(function* (
    work: PlannedWork,
    served: ServedUsage | undefined,
  ) {
    const { ledger } = yield* services
    const usage = countedUsage(served) ?? estimatedUsage(work.prompt, "")
    const { kind } = work
    yield* ledger.record({
      provider,
      model,
      kind,
      usage,
      estimated: false,
      replayed: true,
      cost: 0,
    })
  })

  return { begin, replayed }
})
