import { assert, describe, it } from "@effect/vitest"
import type { RunEvent } from "@espalier/pipeline"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { makeRunListener } from "./run_listener.ts"

const startedAs = (id: string): RunEvent => ({
  _tag: "StepStarted",
  id,
  use: "model/perplexity",
  index: 2,
  steps: 3,
  reasons: ["never run"],
})
const started = startedAs("ppl")

const progress = (completed: number, id = "ppl"): RunEvent => ({
  _tag: "StepProgress",
  id,
  update: { task: "scoring", completed, total: 100, unit: "windows" },
})

const listened = (isTerminal: boolean) => {
  let text = ""
  const listen = makeRunListener({
    write: (more) => Effect.sync(() => void (text += more)),
    isTerminal,
    columns: 120,
  })
  return { listen, text: () => text }
}

describe("makeRunListener", () => {
  it.effect("on a terminal: a bar with rate and time left, painted over", () =>
    Effect.gen(function* () {
      const { listen, text } = listened(true)
      yield* listen({ _tag: "RunStarted", run: "r", name: "p", steps: 3 })
      yield* listen(started)
      for (let n = 0; n <= 50; n++) {
        yield* listen(progress(n))
        yield* TestClock.adjust("100 millis")
      }
      assert.include(text(), "[2/3] ppl (model/perplexity): never run")
      const last = text().split("\r\u001b[K").at(-1)
      assert.strictEqual(
        last,
        "  0 of 3 done · ████████████░░░░░░░░░░░░ ppl: scoring: 50/100 windows, 10.0 windows/s, 5.0 s left",
      )
    }),
  )

  it.effect("on a terminal, with steps side by side: each in a word", () =>
    Effect.gen(function* () {
      const { listen, text } = listened(true)
      yield* listen({ _tag: "RunStarted", run: "r", name: "p", steps: 3 })
      yield* listen(started)
      yield* listen(startedAs("other"))
      for (let n = 0; n <= 50; n++) {
        yield* listen(progress(n))
        yield* listen(progress(2 * n, "other"))
        yield* TestClock.adjust("100 millis")
      }
      const last = text().split("\r\u001b[K").at(-1)
      assert.strictEqual(last, "  0 of 3 done · ppl 50 %, 5.0 s left · other 100 %")
    }),
  )

  it.effect("elsewhere: a plain line every five seconds at most", () =>
    Effect.gen(function* () {
      const { listen, text } = listened(false)
      yield* listen(started)
      for (let n = 0; n < 100; n++) {
        yield* listen(progress(n))
        yield* TestClock.adjust("120 millis")
      }
      const lines = text().trimEnd().split("\n")
      assert.deepStrictEqual(lines, [
        "[2/3] ppl (model/perplexity): never run",
        "  ppl: scoring: 42 %, 42/100 windows, 8.33 windows/s, 7.0 s left",
        "  ppl: scoring: 84 %, 84/100 windows, 8.33 windows/s, 1.9 s left",
      ])
    }),
  )
})
