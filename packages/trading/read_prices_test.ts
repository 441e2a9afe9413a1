import { NodeServices } from "@effect/platform-node"
import { assert, describe, it, layer } from "@effect/vitest"
import { withoutData } from "@espalier/testing"
import { Effect, FileSystem, Path, Stream } from "effect"
import { PriceFileError } from "./errors.ts"
import { countGaps } from "./price_series.ts"
import { makePriceReader, readPrices, type ReadPricesOptions } from "./read_prices.ts"
import { pricesOf } from "./testing/data.ts"

const read = (text: string, options: ReadPricesOptions = {}) => {
  const reader = makePriceReader("p.json", options)
  return reader.feed(text) ?? reader.end()
}

const refused = (text: string, options: ReadPricesOptions = {}): PriceFileError => {
  const found = read(text, options)
  if (!(found instanceof PriceFileError)) throw new Error(`was taken: ${text}`)
  return found
}

const accepted = (text: string, options: ReadPricesOptions = {}) => {
  const found = read(text, options)
  if (found instanceof PriceFileError) throw found
  return found
}

describe("makePriceReader", () => {
  it("names line and date of what is wrong", () => {
    const problems: ReadonlyArray<readonly [string, number, string | undefined, RegExp]> = [
      [
        '{"2023-01-01": {"prices": 1},\n"2023-01-01": {"prices": 1}}',
        2,
        "2023-01-01",
        /stands twice, first on line 1/,
      ],
      ['{"2023-01-01": {"prices": 0}}', 1, "2023-01-01", /price is 0, expected a positive/],
      ['{"2023-01-01": {"prices": -3.5}}', 1, "2023-01-01", /price is -3.5/],
      ['{\n"2023-01-01": {"news": []}}', 2, "2023-01-01", /price is missing/],
      ['{"2023-01-01": {"prices": null}}', 1, "2023-01-01", /price is missing/],
      ['{"2023-01-01": {"prices": "12"}}', 1, "2023-01-01", /price is no number: "12"/],
      ['{"2023-01-01": {"prices": [1]}}', 1, "2023-01-01", /price is no number/],
      ['{"2023-01-01": {"prices": 1e999}}', 1, "2023-01-01", /no finite number/],
      ['{"2023-01-01": {"prices": NaN}}', 1, "2023-01-01", /"prices" is no JSON: NaN/],
      ['{"2023-01-01": {"prices": 1,\n"prices": 2}}', 2, "2023-01-01", /"prices" stands twice/],
      ['{"2023-02-30": {"prices": 1}}', 1, "2023-02-30", /no day of the calendar/],
      ['{"01/02/2023": {"prices": 1}}', 1, "01/02/2023", /no day of the calendar/],
      ['{"2023-01-01": 12}', 1, "2023-01-01", /expected \{/],
      ['{"2023-01-01": {"prices": 1, "news": "x"}}', 1, "2023-01-01", /news is no list/],
      [
        '{"2023-01-01": {"prices": 1, "news": [3]}}',
        1,
        "2023-01-01",
        /item 1 of the news is no text/,
      ],
      ['{"2023-01-01": {"prices": 1, "news": [}}', 1, "2023-01-01", /ends within|expected|no JSON/],
      ['{"2023-01-01": {"prices": 1}', 1, undefined, /ends before the last/],
      ["[]", 1, undefined, /expected \{ at the beginning/],
    ]
    for (const [text, line, date, message] of problems) {
      const problem = refused(text)
      assert.strictEqual(problem.line, line, text)
      assert.strictEqual(problem.date, date, text)
      assert.match(problem.message, message)
      assert.isTrue(problem.message.startsWith(`p.json:${line}: `), problem.message)
      assert.notStrictEqual(problem.hint, "")
    }
    assert.match(refused("{}").message, /^p\.json: the file has no entries$/)
  })

  it("refuses news from the future, or leaves them out and counts them", () => {
    const text = JSON.stringify({
      "2023-01-01": {
        prices: 1,
        news: [
          "known (date: 2022-12-31) (sentiment: positive)",
          "today (date: 2023-01-01) (sentiment: negative)",
          "later (date: 2023-01-02) (sentiment: positive)",
        ],
      },
    })
    const problem = refused(text)
    assert.match(problem.message, /2023-01-01: item 3 of the news is from 2023-01-02/)
    assert.match(problem.hint, /--future-news drop/)
    const { days, futureNews } = accepted(text, { futureNews: "drop" })
    assert.strictEqual(futureNews, 1)
    assert.deepStrictEqual(
      days[0].news.map(({ text }) => text),
      ["known", "today"],
    )
    assert.strictEqual(days[0].sentiment.positive, 1)
  })

  it("puts entries in order and says how many were not", () => {
    const text =
      '{"2023-01-03": {"prices": 3}, "2023-01-01": {"prices": 1}, "2023-01-02": {"prices": 2}}'
    const { days, unsorted } = accepted(text)
    assert.deepStrictEqual(
      days.map(({ price }) => price),
      [1, 2, 3],
    )
    assert.strictEqual(unsorted, 2)
  })

  it("keeps reports, and of news their text or how many of each label there are", () => {
    const entry = {
      prices: 1,
      news: ["up (sentiment:positive)"],
      "10k": ["annual"],
      "10q": "quarter",
    }
    const text = JSON.stringify({ "2023-01-01": entry, "2023-01-02": entry })
    const [first, second] = accepted(text, { newsFrom: "2023-01-02" }).days
    assert.deepStrictEqual([first.news, first.annual, first.quarterly], [[], [], []])
    assert.strictEqual(first.sentiment.positive, 1)
    assert.deepStrictEqual(second.news, [{ text: "up", sentiment: "positive" }])
    assert.deepStrictEqual([second.annual, second.quarterly], [["annual"], ["quarter"]])
    assert.deepStrictEqual(accepted(text, { news: "sentiment" }).days[1].news, [])
  })
})

describe("countGaps", () => {
  it("counts stretches and days", () => {
    assert.deepStrictEqual(countGaps(["2023-02-27", "2023-03-01", "2023-03-02", "2023-03-06"]), {
      count: 2,
      days: 4,
      longest: 3,
    })
    assert.deepStrictEqual(countGaps(["2023-02-27"]), { count: 0, days: 0, longest: 0 })
  })
})

layer(NodeServices.layer)("readPrices", (it) => {
  it.effect("reads the real files", (context) =>
    Effect.gen(function* () {
      if (withoutData !== undefined) return context.skip(withoutData)
      const facts = {
        btc: [386, 4966],
        eth: [318, 1067],
        msft: [291, 3636],
        jnj: [291, 910],
      } as const
      for (const asset of ["btc", "eth", "msft", "jnj"] as const) {
        const { days, unsorted } = yield* readPrices(pricesOf(asset))
        const items = days.flatMap(({ news }) => news)
        assert.deepStrictEqual([days.length, items.length] as ReadonlyArray<number>, facts[asset])
        assert.isTrue(items.every(({ sentiment }) => sentiment !== undefined))
        assert.isTrue(items.every(({ text }) => !/\(sentiment/i.test(text)))
        assert.strictEqual(unsorted, 0)
        if (asset === "eth") assert.strictEqual(countGaps(days.map(({ date }) => date)).count, 47)
      }
    }),
  )

  it.effect("says which file is not there", () =>
    Effect.gen(function* () {
      const problem = yield* Effect.flip(readPrices("/nowhere/btc.json"))
      assert.match(problem.message, /^\/nowhere\/btc\.json: cannot be read/)
    }),
  )

  it.effect("reads a file far larger than what it keeps", () =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-prices-" })
      const file = path.join(folder, "large.json")
      const story = `${"all is well ".repeat(1000)}(sentiment:positive)`
      const entry = JSON.stringify({ prices: 7, news: Array.from({ length: 10 }, () => story) })
      const dates = Array.from({ length: 200 }, (_, i) =>
        new Date(Date.UTC(2020, 0, 1 + i)).toISOString().slice(0, 10),
      )
      const text = Stream.fromIterable(dates).pipe(
        Stream.map((date, i) => `${i === 0 ? "\ufeff{" : ","}\n"${date}": ${entry}`),
        Stream.concat(Stream.make("\n}\n")),
        Stream.encodeText,
      )
      yield* Stream.run(text, fileSystem.sink(file))
      const { days } = yield* readPrices(file, { news: "sentiment" })
      assert.strictEqual(days.length, 200)
      assert.strictEqual(days[199].sentiment.positive, 10)
      assert.isBelow(JSON.stringify(days).length, 60_000)
    }),
  )
})
