import { assert, describe, it } from "@effect/vitest"
import { dataFolder, startModelServer, withoutData } from "@espalier/testing"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"
import { dateOf, inPlace, market, prices, scored, type Told, windows } from "../testing/trade.ts"

describe.concurrent("espalier trade warm-up, test and report", () => {
  const common = ["--asset", "xyz", ...prices]

  it(
    "learn, decide and make a page",
    { timeout: 120_000 },
    inPlace(async (place) => {
      place.write("market.json", JSON.stringify(market))
      const early = await place.espalier(["trade", "report", ...common])
      assert.strictEqual(early.code, 2)
      assert.match(
        early.error,
        /test\.json is not there\nhint: run espalier trade test --asset xyz first/,
      )

      const learnt = await place.espalier(["trade", "warm-up", ...common, ...windows.learn])
      assert.strictEqual(learnt.code, 0, learnt.error)
      assert.match(
        learnt.out,
        /warm-up\.json: 15 days, memories: \d+ short, \d+ mid, \d+ long, 15 reflection/,
      )
      const over = await place.espalier([
        "trade",
        "test",
        ...common,
        "--from",
        dateOf(14),
        "--to",
        dateOf(20),
      ])
      assert.strictEqual(over.code, 2)
      assert.match(over.error, /it would know what it is tested on/)
      const tested = await place.espalier([
        "trade",
        "test",
        ...common,
        ...windows.test,
        "--fee",
        "0.001",
        "--json",
      ])
      assert.strictEqual(tested.code, 0, tested.error)
      const told = JSON.parse(tested.out) as Told
      assert.deepStrictEqual([told.days, told.agent, told.inventedMemories], [25, "default", 0])
      const again = await scored(
        place,
        ...prices,
        ...windows.test,
        "--fee",
        "0.001",
        "--agent",
        "trade-xyz/test.json",
      )
      assert.deepStrictEqual(again.challenge, told.challenge)
      const twice = await place.espalier(["trade", "test", ...common, ...windows.test])
      assert.strictEqual(twice.code, 2)
      assertFriendly(twice.error)
      assert.match(twice.error, /the test is done/)

      for (const format of ["html", "md"]) {
        const report = await place.espalier(["trade", "report", ...common, "--format", format])
        assert.strictEqual(report.code, 0, report.error)
        const page = readFileSync(place.at("trade-xyz", `report.${format}`), "utf8")
        const names = ["default", "buy-and-hold", "random", "momentum", "moving-average-cross"]
        for (const name of [...names, "news-sentiment", "No order was placed", "prove little"]) {
          assert.include(page, name)
        }
        assert.match(page, /Momentum [+−]\d\.\d\d, news/)
        assert.match(page, /analysts see (growth|trouble) on day/)
        if (format === "html") {
          for (const title of ["Equity, in multiples", "Drawdown", "Position of the agent"]) {
            assert.include(page, `<figcaption>${title}`)
          }
        }
      }
      place.write("market.json", JSON.stringify(market).replace("2024-02-01", "2024-02-29"))
      const other = await place.espalier(["trade", "report", ...common])
      assert.strictEqual(other.code, 2)
      assert.match(other.error, /of other prices/)
    }),
  )

  it(
    "killed at any moment go on where they were, with the same bytes at the end",
    { timeout: 240_000 },
    inPlace(async (place) => {
      place.write("market.json", JSON.stringify(market))
      const phase = (name: "warm-up" | "test", folder: string) => [
        "trade",
        name,
        ...common,
        ...(name === "test" ? windows.test : windows.learn),
        "--folder",
        folder,
      ]
      for (const name of ["warm-up", "test"] as const) {
        const whole = await place.espalier(phase(name, "whole"))
        assert.strictEqual(whole.code, 0, whole.error)
        // Killed as soon as there is a checkpoint, then at a later one.
        const checkpoints = place.at("broken", `${name}.partial`, "checkpoints")
        let kills = 0
        let seen = 0
        for (; kills < 3; kills++) {
          const { code } = await place.espalier(phase(name, "broken"), {
            killWhen: () => existsSync(checkpoints) && ++seen > 1 + 2 * kills,
          })
          if (code === 0) break
          assert.isNull(code)
        }
        if (!existsSync(place.at("broken", `${name}.json`))) {
          const last = await place.espalier(phase(name, "broken"))
          assert.strictEqual(last.code, 0, last.error)
        }
        const [one, other] = ["whole", "broken"].map((folder) =>
          readFileSync(place.at(folder, `${name}.json`), "utf8"),
        )
        assert.strictEqual(other, one)
        assert.isFalse(existsSync(place.at("broken", `${name}.partial`)))
      }
    }),
  )

  it(
    "ask a language model, mark memories that it makes up, and stop at the budget with what is done",
    { timeout: 120_000 },
    inPlace(async (place) => {
      place.write("market.json", JSON.stringify(market))
      const answer = { action: "sell", reason: "It looks weak.", memoryIds: [1, 9999] }
      const server = await startModelServer(JSON.stringify(answer))
      try {
        const model = ["--provider", "openai", "--model", "test", "--base-url", server.url]
        const few = ["--from", dateOf(15), "--to", dateOf(22)]
        const test = [
          "trade",
          "test",
          ...common,
          ...few,
          ...model,
          "--cassette",
          "calls.jsonl",
          "--json",
        ]
        const stopped = await place.espalier([...test, "--budget-requests", "3"])
        assert.notStrictEqual(stopped.code, 0)
        assertFriendly(stopped.error)
        assert.match(
          stopped.error,
          /note: 3 of 8 days are kept in .*test\.json; the same command goes on/,
        )
        const partial = JSON.parse(readFileSync(place.at("trade-xyz/test.json"), "utf8")) as {
          readonly complete: boolean
          readonly decisions: ReadonlyArray<unknown>
        }
        assert.deepStrictEqual([partial.complete, partial.decisions.length], [false, 3])
        const page = await place.espalier(["trade", "report", ...common, "--format", "md"])
        assert.strictEqual(page.code, 0, page.error)
        assert.match(
          readFileSync(place.at("trade-xyz/report.md"), "utf8"),
          /3 of 8 days were decided/,
        )

        const finished = await place.espalier(test)
        assert.strictEqual(finished.code, 0, finished.error)
        assert.strictEqual(server.requests.length, 8)
        const told = JSON.parse(finished.out) as Told
        assert.deepStrictEqual(told.actions, { buy: 0, sell: 8, hold: 0 })
        assert.strictEqual(told.agent, "llm")
        assert.isAtLeast(told.inventedMemories, 8)

        // The cassette answers from here on: no server, no key.
        mkdirSync(place.at("again"))
        server.stop()
        const strict = await place.espalier([
          ...test,
          "--cassette-mode",
          "strict",
          "--folder",
          "again/run",
        ])
        assert.strictEqual(strict.code, 0, strict.error)
        assert.deepStrictEqual((JSON.parse(strict.out) as Told).challenge, told.challenge)
        assert.strictEqual(server.requests.length, 8)
      } finally {
        server.stop()
      }
    }),
  )

  it("have the challenge's windows as defaults", { timeout: 120_000 }, async (context) => {
    if (withoutData !== undefined) return context.skip(withoutData)
    const place = makeFolder("real")
    try {
      const eth = ["--asset", "eth", "--data", dataFolder]
      const learnt = await place.espalier(["trade", "warm-up", ...eth])
      assert.match(learnt.out, /warm-up\.json: 4\d days/, learnt.error)
      const tested = await place.espalier(["trade", "test", ...eth, "--json"])
      assert.strictEqual((JSON.parse(tested.out) as Told).days, 187, tested.error)
      const file = ["--prices", "data:crypto/eth.json", "--data", dataFolder]
      const window = ["--from", "2023-04-03", "--to", "2023-11-05"]
      const { challenge } = await scored(place, ...file, ...window, "--agent", "buy-and-hold")
      const figures = Object.values(challenge).map((value) => value?.toFixed(4))
      assert.deepStrictEqual(figures, ["0.0453", "0.2114", "0.4182", "0.2989"])
    } finally {
      place.remove()
    }
  })
})
