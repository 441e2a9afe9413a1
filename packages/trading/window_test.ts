import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { Broker } from "./broker.ts"
import { makePriceReader } from "./read_prices.ts"
import { PointInTime } from "./point_in_time.ts"
import type { PriceSeries } from "./price_series.ts"

const dates = ["2023-01-01", "2023-01-02", "2023-01-10", "2023-01-11"]
const reader = makePriceReader("p.json")
reader.feed(JSON.stringify(Object.fromEntries(dates.map((date) => [date, { prices: 1 }]))))
const market = PointInTime.make(reader.end() as PriceSeries)
const open = (from: string, to: string) => Broker.open(market, { from, to })

describe("windows", () => {
  it("have both ends, and ends that have no entry", () => {
    const whole = Result.getOrThrow(open("2023-01-01", "2023-01-11"))
    assert.deepStrictEqual([whole.dates, whole.cut], [dates, false])
    const inner = Result.getOrThrow(open("2023-01-02", "2023-01-10"))
    assert.deepStrictEqual(inner.dates, dates.slice(1, 3))
    assert.deepStrictEqual(
      Result.getOrThrow(open("2023-01-05", "2023-01-11")).dates,
      dates.slice(2),
    )
  })

  it("are cut where the data end, and say so", () => {
    const { dates: found, cut } = Result.getOrThrow(open("2022-01-01", "2023-01-10"))
    assert.deepStrictEqual([found, cut], [dates.slice(0, 3), true])
  })

  it("are refused without two prices", () => {
    for (const [from, to, says] of [
      ["2022-01-01", "2022-12-31", /lies outside the data/],
      ["2024-01-01", "2024-12-31", /lies outside the data/],
      ["2023-01-03", "2023-01-09", /has no price$/],
      ["2023-01-03", "2023-01-10", /has one price, of 2023-01-10/],
      ["2023-01-11", "2023-01-01", /ends before it begins/],
      ["2023-02-30", "2023-03-01", /2023-02-30 is no day of the calendar/],
    ] as const) {
      const refused = open(from, to)
      if (Result.isSuccess(refused)) return assert.fail(`${from} ${to}`)
      assert.match(refused.failure.message, says)
      assert.notStrictEqual(refused.failure.hint, "")
    }
  })
})
