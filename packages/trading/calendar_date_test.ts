import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { dayNumber, daysBetween, isCalendarDate } from "./calendar_date.ts"

const Day = Schema.Int.check(Schema.isBetween({ minimum: -20_000, maximum: 60_000 }))
const dateOf = (day: number) => new Date(day * 86_400_000).toISOString().slice(0, 10)

describe("isCalendarDate", () => {
  it("knows the lengths of months, and leap years", () => {
    for (const date of ["2023-01-31", "2024-02-29", "2000-02-29", "0004-02-29", "9999-12-31"]) {
      assert.isTrue(isCalendarDate(date), date)
    }
    const wrong = [
      "2023-02-30",
      "2023-02-29",
      "1900-02-29",
      "2023-04-31",
      "2023-13-01",
      "2023-00-10",
    ]
    for (const date of [
      ...wrong,
      "2023-01-00",
      "2023-1-1",
      "20230101",
      "2023-01-01T00:00",
      "",
      " 2023-01-01",
    ]) {
      assert.isFalse(isCalendarDate(date), date)
    }
  })

  it.effect.prop("takes every day there is", [Day], ([day]) =>
    Effect.sync(() => assert.isTrue(isCalendarDate(dateOf(day)))),
  )
})

describe("daysBetween", () => {
  it.effect.prop("counts days, whatever months and years lie between", [Day, Day], ([a, b]) =>
    Effect.sync(() => {
      assert.strictEqual(dayNumber(dateOf(a)), a)
      assert.strictEqual(daysBetween(dateOf(a), dateOf(b)), b - a)
    }),
  )
})
