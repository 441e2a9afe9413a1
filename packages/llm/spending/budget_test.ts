import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import * as fc from "fast-check"
import { languageModelLayer } from "../language_model.ts"
import { makeScriptedProvider } from "../scripted_language_model.ts"
import { withSampling } from "../sampling.ts"
import { typedErrors, typedStreamErrors } from "../typed_errors.ts"
import { budgetLayer, makeBudget } from "./budget.ts"
import { Ledger, ledgerLayer, printLedger, summarizeLedger } from "./ledger.ts"
import { costOf, listPrice, type Price, prices } from "./prices.ts"

const price: Price = { input: 2, cachedInput: 0.5, output: 8 }

/** A scripted model that costs money, or whose price nobody knows. */
const paid = (of: Price | undefined, answer = "x".repeat(300)) =>
  languageModelLayer(
    Effect.map(
      makeScriptedProvider(() => answer),
      (provider) => ({ ...provider, price: of }),
    ),
  )

const ask = typedErrors(LanguageModel.generateText({ prompt: "y".repeat(300) }))

describe("a budget", () => {
  it.effect("stops before the call that could exceed it", () =>
    Effect.gen(function* () {
      // 100 tokens of prompt and 100 of answer: three such calls fit, not four.
      const calls = Effect.forEach([1, 2, 3, 4], () => Effect.result(ask))
      const results = yield* withSampling({ maxTokens: 100 })(calls).pipe(
        Effect.provide([paid(price), budgetLayer({ tokens: 700 })]),
      )
      assert.deepStrictEqual(
        results.map(({ _tag }) => _tag),
        ["Success", "Success", "Success", "Failure"],
      )
      const last = results[3]
      if (last._tag !== "Failure" || last.failure._tag !== "BudgetExhausted") return assert.fail()
      const { budget, limit, spent, needed } = last.failure
      assert.deepStrictEqual([budget, limit, spent, needed], ["tokens", 700, 600, 200])
      assert.match(last.failure.message, /--budget-tokens/)
    }),
  )

  it.effect("counts money, and needs to know the price", () =>
    Effect.gen(function* () {
      const twice = withSampling({ maxTokens: 100 })(Effect.andThen(ask, ask))
      // A call is 100 × $2 + 100 × $8 for a million: $0.001.
      const limited = (cost: number, of: Price | undefined) =>
        Effect.provide(twice, [paid(of), budgetLayer({ cost })])
      yield* limited(0.002, price)
      assert.strictEqual((yield* Effect.flip(limited(0.0019, price)))._tag, "BudgetExhausted")
      const unknown = yield* Effect.flip(limited(100, undefined))
      assert.strictEqual(unknown._tag, "PriceUnknown")
      assert.match(unknown.message, /script/)
      yield* twice.pipe(
        Effect.provide([
          languageModelLayer(makeScriptedProvider(() => "free")),
          budgetLayer({ cost: 0 }),
        ]),
      )
    }),
  )

  it.effect("stops streams too", () =>
    Effect.gen(function* () {
      const tell = typedStreamErrors(LanguageModel.streamText({ prompt: "a" }))
      const error = yield* Stream.runDrain(tell).pipe(
        Effect.andThen(Stream.runDrain(tell)),
        Effect.provide([paid(price), budgetLayer({ requests: 1 })]),
        Effect.flip,
      )
      assert.strictEqual(error._tag, "BudgetExhausted")
    }),
  )

  it("is not exceeded by calls at the same time, however they end", () => {
    const call = fc.record({
      input: fc.nat(100),
      most: fc.nat(100),
      used: fc.double({ min: 0, max: 1, noNaN: true }),
      fails: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(call, { maxLength: 30 }), fc.nat(1000), (calls, tokens) => {
        const spent = Effect.runSync(
          Effect.gen(function* () {
            const budget = yield* makeBudget({ tokens })
            const settlements: Array<Effect.Effect<void>> = []
            let total = 0
            for (const { input, most, used, fails } of calls) {
              const planned = {
                provider: "p",
                model: "m",
                inputTokens: input,
                maxTokens: most,
                price,
              }
              const reserved = yield* Effect.option(budget.reserve(planned))
              if (reserved._tag === "None") continue
              const output = Math.floor(most * used)
              const usage = { input, cachedInput: 0, cacheWrite: 0, output }
              if (!fails) total += input + output
              settlements.push(reserved.value.settle(fails ? undefined : usage))
              if (used < 0.5) yield* settlements.shift() ?? Effect.void
            }
            return total
          }),
        )
        assert.isAtMost(spent, tokens)
      }),
    )
  })
})

describe("a ledger", () => {
  it.effect(
    "writes down tokens and cost, by the server's count or by an estimate that is called one",
    () =>
      Effect.gen(function* () {
        yield* withSampling({ maxTokens: 100 })(ask)
        yield* Stream.runDrain(LanguageModel.streamText({ prompt: "y".repeat(300) }))
        const entries = yield* Effect.flatMap(Ledger, (ledger) => ledger.entries)
        assert.deepStrictEqual(
          entries.map(({ kind, usage, cost, estimated }) => [
            kind,
            usage.input,
            usage.output,
            cost,
            estimated,
          ]),
          [
            ["generate", 100, 100, 0.001, false],
            ["stream", 100, 100, 0.001, false],
          ],
        )
        const summary = summarizeLedger(entries)
        assert.strictEqual(printLedger(summary), "2 requests, 200 tokens in, 200 out, $0.002000")
      }).pipe(Effect.provide(Layer.merge(paid(price), ledgerLayer))),
  )

  it.effect("says that a cost is not known, and never that it is nothing", () =>
    Effect.gen(function* () {
      yield* ask
      const summary = summarizeLedger(yield* Effect.flatMap(Ledger, (ledger) => ledger.entries))
      assert.deepStrictEqual(summary.unknownPrices, ["script"])
      assert.match(printLedger(summary), /cost unknown \(no price for script\)$/)
    }).pipe(Effect.provide(Layer.merge(paid(undefined), ledgerLayer))),
  )
})

describe("prices", () => {
  it("are dated, positive, and there once for each model", () => {
    const names = prices.map(({ provider, model }) => `${provider} ${model}`)
    assert.strictEqual(new Set(names).size, names.length)
    for (const { lookedUp, input, cachedInput = 0 } of prices) {
      assert.match(lookedUp, /^\d{4}-\d{2}-\d{2}$/)
      assert.isAbove(input, 0)
      assert.isAtMost(cachedInput, input)
    }
  })

  it("count what a cache gave at its own price", () => {
    const usage = { input: 1_000_000, cachedInput: 400_000, cacheWrite: 0, output: 500_000 }
    assert.closeTo(costOf(price, usage), 0.6 * 2 + 0.4 * 0.5 + 0.5 * 8, 1e-12)
    assert.closeTo(costOf({ input: 2, output: 8 }, usage), 2 + 4, 1e-12)
  })

  it("of a snapshot are those of its model", () => {
    assert.strictEqual(listPrice("anthropic", "claude-haiku-4-5-20251001")?.output, 5)
    assert.isUndefined(listPrice("anthropic", "gpt-4.1"))
  })
})
