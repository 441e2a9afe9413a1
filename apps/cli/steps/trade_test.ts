import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { dataFolder, withoutData } from "@espalier/testing"
import { Effect, FileSystem, Path, Schema } from "effect"
import { readFileSync } from "node:fs"
import { tradeBacktest } from "./trade.ts"

const dateOf = (day: number) => new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10)
const market = Object.fromEntries(
  Array.from({ length: 30 }, (_, day) => [
    dateOf(day),
    { prices: 100 + 9 * Math.sin(day), news: [] },
  ]),
)

const run = Effect.fnUntraced(function* (config: Readonly<Record<string, unknown>>) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-trade-" })
  const file = path.join(folder, "xyz.json")
  yield* fileSystem.writeFileString(file, JSON.stringify(market))
  return yield* tradeBacktest.execute({
    id: "backtest",
    config: Schema.decodeUnknownSync(tradeBacktest.config)({ path: file, ...config }),
    inputs: {},
    seed: 3,
    paths: { path: file },
  })
})

layer(NodeServices.layer)("trade/backtest", (it) => {
  it.effect("measures an agent, with what it lost to costs", () =>
    Effect.gen(function* () {
      const free = yield* run({ agent: "momentum", from: dateOf(5) })
      const dear = yield* run({ agent: "momentum", from: dateOf(5), fee: 0.001 })
      const figure = (metrics: Readonly<Record<string, unknown>>) =>
        Number(metrics.cumulativeReturn)
      assert.strictEqual(free.metrics.days, 25)
      assert.isAbove(figure(free.metrics), figure(dear.metrics))
      assert.isNumber(free.metrics.nextSharpe)
      assert.isBelow(Number(free.metrics.totalReturnLow), Number(free.metrics.totalReturnHigh))
    }),
  )

  it.effect("lets an agent with a memory learn first, and not of what it is tested on", () =>
    Effect.gen(function* () {
      const warmUp = { warmUpFrom: dateOf(0), warmUpTo: dateOf(9) }
      const learnt = yield* run({ agent: "default", from: dateOf(10), ...warmUp })
      const fresh = yield* run({ agent: "default", from: dateOf(10) })
      assert.notDeepEqual(learnt.metrics, fresh.metrics)
      const error = yield* Effect.flip(run({ agent: "default", from: dateOf(9), ...warmUp }))
      assert.strictEqual(error._tag, "InvalidWindow")
      assert.match(error.message, /would know what it is tested on/)
    }),
  )

  it.effect("gives the figures of the README", (context) =>
    Effect.gen(function* () {
      if (withoutData !== undefined) return context.skip(withoutData)
      const readme = readFileSync(
        new URL("../../../packages/trading/README.md", import.meta.url),
        "utf8",
      )
      const backtest = (asset: string, agent: string, fee: number) => {
        const path = `${dataFolder}/crypto/${asset}.json`
        return tradeBacktest.execute({
          id: "backtest",
          config: Schema.decodeUnknownSync(tradeBacktest.config)({ path, agent, fee }),
          inputs: {},
          seed: 0,
          paths: { path },
        })
      }
      const numbers = (text: string) =>
        [...text.replaceAll("−", "-").matchAll(/-?\d*\.\d+/g)].map(([number]) => Number(number))
      for (const asset of ["btc", "eth"]) {
        const table = readme.split(`| ${asset.toUpperCase()} 2023`)[1].split("\n\n")[0]
        const rows = [...table.matchAll(/^\| ([a-z-]+) \| (.*)$/gm)]
        assert.strictEqual(rows.length, 6)
        for (const [, agent, figures] of rows) {
          const { metrics: free } = yield* backtest(asset, agent, 0)
          const { metrics: dear } = yield* backtest(asset, agent, 0.001)
          const { cumulativeReturn, sharpe, annualVolatility, maxDrawdown } = free
          const { nextCumulativeReturn, nextSharpe } = free
          const expected = [
            cumulativeReturn,
            sharpe,
            annualVolatility,
            maxDrawdown,
            nextCumulativeReturn,
            nextSharpe,
            dear.cumulativeReturn,
            dear.sharpe,
          ]
          const rounded = expected.map((figure) => Number(Number(figure).toFixed(4)))
          assert.deepStrictEqual(numbers(figures), rounded, `${asset} ${agent}`)
          // Nobody is shown to be better or worse than doing nothing.
          if (agent === "buy-and-hold") continue
          assert.isBelow(Number(free.overBuyAndHoldLow), 0, agent)
          assert.isAbove(Number(free.overBuyAndHoldHigh), 0, agent)
        }
      }
    }),
  )
})
