import { assert, describe, it } from "@effect/vitest"
import { assertFriendly } from "../testing/espalier.ts"
import { dateOf, inPlace, market, prices, scored, windows } from "../testing/trade.ts"

describe.concurrent("espalier trade score", () => {
  it(
    "prints the challenge's figures of any file, and the other way to fill beside them",
    { timeout: 120_000 },
    inPlace(async (place) => {
      place.write(
        "p.json",
        '{"2024-01-01": {"prices": 100}, "2024-01-02": {"prices": 110}, "2024-01-04": {"prices": 99}}',
      )
      const told = await scored(
        place,
        "--prices",
        "p.json",
        "--from",
        "2024-01-01",
        "--to",
        "2024-01-04",
      )
      assert.closeTo(told.challenge.cumulativeReturn, Math.log(0.99), 1e-12)
      assert.closeTo(told.next.challenge.cumulativeReturn, Math.log(0.9), 1e-12)
      assert.closeTo(told.challenge.maxDrawdown, -Math.log(0.9), 1e-12)
      assert.strictEqual(told.days, 3)
      const deviation = Math.abs(Math.log(1.1) - Math.log(0.9)) / Math.SQRT2
      assert.closeTo(told.challenge.annualVolatility ?? NaN, deviation * Math.sqrt(365), 1e-12)
      assert.closeTo(
        told.challenge.sharpe ?? NaN,
        Math.log(0.99) / (3 / 365) / (deviation * Math.sqrt(365)),
        1e-9,
      )

      const year = ["--days-per-year", "252", "--fill", "next", "--fee", "0.001"]
      const next = await scored(place, "--prices", "p.json", ...year)
      assert.closeTo(next.challenge.cumulativeReturn, Math.log(0.9) - 0.001, 1e-12)
      assert.isAbove(next.standard.costs, 0)
      assert.closeTo(next.close.challenge.cumulativeReturn, Math.log(0.99) - 0.001, 1e-12)

      place.write("mine.json", '{"2024-01-01": "hold", "2024-01-02": "sell"}')
      const mine = await scored(place, "--prices", "p.json", "--agent", "mine.json")
      assert.closeTo(mine.challenge.cumulativeReturn, -Math.log(0.9), 1e-12)
      assert.deepStrictEqual(mine.actions, { buy: 0, sell: 1, hold: 2 })
      place.write("idle.csv", "date,action\n2024-01-02,0\n")
      const idle = await scored(place, "--prices", "p.json", "--agent", "idle.csv")
      assert.deepStrictEqual(idle.challenge, {
        cumulativeReturn: 0,
        sharpe: null,
        annualVolatility: 0,
        maxDrawdown: 0,
      })
      const words = await place.espalier([
        "trade",
        "score",
        "--prices",
        "p.json",
        "--agent",
        "idle.csv",
      ])
      assert.match(words.out, /filled at close +0 +– +0 +0/)
      assert.match(words.out, /3 days of one asset prove little/)
      assert.match(words.error, /note: 1 day of the window has no price/)
      assert.match(words.error, /note: 2 of 3 days have no decision/)
    }),
  )

  it(
    "knows every agent",
    { timeout: 120_000 },
    inPlace(async (place) => {
      place.write("market.json", JSON.stringify(market))
      const agents = ["momentum", "moving-average-cross", "news-sentiment"]
      for (const agent of agents) {
        const told = await scored(place, ...prices, ...windows.test, "--agent", agent)
        assert.deepStrictEqual([told.agent, told.days], [agent, 25])
      }
      const seeds = ["1", "2"].map((seed) =>
        scored(place, ...prices, "--agent", "random", "--seed", seed),
      )
      const [one, two] = await Promise.all(seeds)
      assert.notDeepEqual(one.challenge, two.challenge)
      const learnt = await scored(
        place,
        ...prices,
        ...windows.test,
        "--agent",
        "default",
        "--warm-up-from",
        dateOf(0),
      )
      assert.strictEqual(learnt.days, 25)
    }),
  )

  it(
    "names what is wrong with its input, and exits with 2",
    { timeout: 120_000 },
    inPlace(async (place) => {
      const good = '{"2024-01-01": {"prices": 1}, "2024-01-02": {"prices": 2}}'
      place.write("good.json", good)
      const files: ReadonlyArray<readonly [string, RegExp]> = [
        [
          '{"2024-01-01": {"prices": 1},\n"2024-01-01": {"prices": 2}}',
          /bad\.json:2: 2024-01-01: the date stands twice, first on line 1/,
        ],
        [
          '{"2024-01-01": {"prices": 1},\n"2024-01-02": {"prices": 0}}',
          /bad\.json:2: 2024-01-02: the price is 0/,
        ],
        [
          '{"2024-01-01": {"prices": 1, "news": ["x (date: 2024-01-03) (sentiment:positive)"]}}',
          /item 1 of the news is from 2024-01-03/,
        ],
        ['{"2024-01-01": {"prices": 1}', /not a JSON object of dates/],
      ]
      for (const [text, says] of files) {
        place.write("bad.json", text)
        const { code, out, error } = await place.espalier([
          "trade",
          "score",
          "--prices",
          "bad.json",
          "--json",
        ])
        assert.deepStrictEqual([code, out], [2, ""], text)
        assertFriendly(error)
        assert.match(error, says)
      }
      place.write("unknown.json", '{"2024-01-01": "buy",\n"2025-01-01": "buy"}')
      const calls: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
        [["--agent", "unknown.json"], /unknown\.json:2: 2025-01-01: the prices have no such date/],
        [["--agent", "momentun"], /hint: did you mean "momentum"/],
        [["--from", "2025-01-01", "--to", "2025-02-01"], /lies outside the data/],
        [["--fee", "2"], /fee is 2, expected a number from 0/],
        [["--days-per-year", "0"], /days-per-year/],
      ]
      for (const [args, says] of calls) {
        const { code, error } = await place.espalier([
          "trade",
          "score",
          "--prices",
          "good.json",
          ...args,
        ])
        assert.strictEqual(code, 2, error)
        assertFriendly(error)
        assert.match(error, says)
      }
      const missing = await place.espalier(["trade", "score", "--prices", "god.json"])
      assert.strictEqual(missing.code, 2)
      assert.match(missing.error, /did you mean "good\.json"/)
    }),
  )
})
