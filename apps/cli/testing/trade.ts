import { assert } from "@effect/vitest"
import { makeFolder } from "./espalier.ts"

type Place = ReturnType<typeof makeFolder>

/** A test in a folder of its own. */
export const inPlace = (use: (place: Place) => Promise<void>) => async () => {
  const place = makeFolder("real")
  try {
    await use(place)
  } finally {
    place.remove()
  }
}

/** The day so many days after 2024-01-01. */
export const dateOf = (day: number) =>
  new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10)

/** Forty days that go up and down, with news that say so. */
export const market = Object.fromEntries(
  Array.from({ length: 40 }, (_, day) => [
    dateOf(day),
    {
      prices: 100 + 12 * Math.sin(day / 3) + day / 4,
      news: [
        `analysts see ${day % 2 === 0 ? "growth" : "trouble"} on day ${day} (sentiment:${day % 2 === 0 ? "positive" : "negative"})`,
        `an exchange reports its volume of day ${day} (Sentiment: neutral)`,
      ],
    },
  ]),
)
/** The flag that names them. */
export const prices = ["--prices", "market.json"]
/** Days to learn from, and days to decide on. */
export const windows = {
  learn: ["--from", dateOf(0), "--to", dateOf(14)],
  test: ["--from", dateOf(15), "--to", dateOf(39)],
}

interface Figures {
  readonly cumulativeReturn: number
  readonly sharpe: number | null
  readonly annualVolatility: number | null
  readonly maxDrawdown: number
}
/** What the commands print with `--json`. */
export interface Told {
  readonly challenge: Figures
  readonly standard: { readonly totalReturn: number; readonly costs: number }
  readonly days: number
  readonly next: { readonly challenge: Figures }
  readonly close: { readonly challenge: Figures }
  readonly actions: Readonly<Record<string, number>>
  readonly inventedMemories: number
  readonly agent: string
}

/** What `trade score` prints. */
export const scored = async (place: Place, ...args: ReadonlyArray<string>) => {
  const { code, out, error } = await place.espalier(["trade", "score", ...args, "--json"])
  assert.strictEqual(code, 0, error)
  return JSON.parse(out) as Told
}
