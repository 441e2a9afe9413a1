import { assert, describe, it } from "@effect/vitest"
import { formatInstruction, formatOutput } from "@espalier/misinformation"
import type { RunRecord } from "@espalier/pipeline"
import { startModelServer } from "@espalier/testing"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"
import { makeTinyModel, writeModel } from "../testing/tiny_model.ts"
import { dateOf, market } from "../testing/trade.ts"

const key = "sk-planted-0123456789abcdef"

type Place = ReturnType<typeof makeFolder>

/** A folder, and a server that answers so, whose address and key are in the environment. */
const inPlace =
  (
    answer: Parameters<typeof startModelServer>[0],
    use: (tools: {
      readonly place: Place
      readonly requests: ReadonlyArray<string>
      readonly espalier: (args: ReadonlyArray<string>) => ReturnType<Place["espalier"]>
      readonly run: (
        pipeline: string,
        ...args: ReadonlyArray<string>
      ) => ReturnType<Place["espalier"]>
    }) => Promise<void>,
  ) =>
  async () => {
    const place = makeFolder("real")
    const server = await startModelServer(answer)
    const espalier = (args: ReadonlyArray<string>) =>
      place.espalier(args, { env: { OPENAI_API_KEY: key, OPENAI_BASE_URL: server.url } })
    try {
      await use({
        place,
        requests: server.requests,
        espalier,
        run: (pipeline, ...args) => {
          place.write("p.yaml", pipeline)
          return espalier(["run", "p.yaml", "--json", "--device", "wasm", ...args])
        },
      })
    } finally {
      server.stop()
      place.remove()
    }
  }

const recordOf = (out: string) => JSON.parse(out) as RunRecord

describe.concurrent("fmd/verify", () => {
  const claims = ["a shark in the street", "taxes of 1931", "taxes of 1931!", "a bridge of ice"]
  const lines = claims.map((noun, i) =>
    JSON.stringify({
      instruction: formatInstruction({
        claim: `The paper wrote about ${noun}`,
        context: `Much was said of ${noun}. Number ${i}. It is a hoax.`,
      }),
      output: formatOutput(i === 3 ? "True" : "False", "It is a hoax."),
    }),
  )
  const pipeline = `name: verify
steps:
  items: { use: fmd/load, path: items.json }
  asked: { use: fmd/verify, items: $items, examples: $items, shots: 2, provider: openai, model: tiny }
  figures: { use: fmd/evaluate, items: $items, verdicts: $asked, resamples: 50 }
`
  const answer = (request: string) => {
    const { messages } = JSON.parse(request) as { readonly messages: ReadonlyArray<unknown> }
    // A demand to repair an answer comes after the question.
    const question = messages.map((message) => JSON.stringify(message))
    const last = question.findLast((message) => message.includes("Task: "))
    if (last?.includes("bridge")) return "I would rather not say."
    const evidence = ["It is a hoax.", "Nobody wrote this."]
    return JSON.stringify({ prediction: "False", explanation: "It is a hoax.", evidence })
  }

  it(
    "asks a server, goes on where a budget ended, and shows no item itself",
    inPlace(answer, async ({ place, requests, run }) => {
      place.write("items.json", lines.join("\n"))
      const stopped = await run(pipeline, "--set", "steps.asked.budgetRequests=2")
      assert.strictEqual(stopped.code, 1, stopped.error)
      assert.match(stopped.error, /budget of 2/i)
      assert.lengthOf(requests, 2)
      const { code, out, error } = await run(pipeline)
      assert.strictEqual(code, 0, error)
      // Two more claims, and the one without a form once more.
      assert.lengthOf(requests, 5)
      const { steps } = recordOf(out)
      assert.deepInclude(steps.asked.metrics, { items: 4, invalid: 1, citations: 6, unfounded: 3 })
      const { microF1, unparsable, confusion, calibrationError } = steps.figures.metrics as {
        readonly [name: string]: unknown
      }
      assert.deepInclude(microF1, { overall: 0.75 })
      assert.strictEqual(unparsable, 1)
      assert.deepStrictEqual((confusion as { readonly True: unknown }).True, {
        True: 0,
        False: 0,
        NEI: 0,
        none: 1,
      })
      assert.isUndefined(calibrationError)
      const shown = (request: string) =>
        JSON.parse(request).messages.filter(({ role }: { role: string }) => role === "user")
      // The second and the third are nearly the same, so that neither is shown before the other.
      assert.lengthOf(shown(requests[1]), 3)
      assert.notInclude(JSON.stringify(shown(requests[1]).slice(0, -1)), "taxes")
      assert.notInclude(out + error, key)
      const again = recordOf((await run(pipeline)).out)
      assert.isTrue(Object.values(again.steps).every(({ status }) => status === "cached"))
    }),
  )

  it(
    "plays what a command recorded, and asks nobody",
    inPlace(answer, async ({ place, requests, espalier, run }) => {
      place.write("items.json", lines.join("\n"))
      const predict = ["fmd", "predict", "items.json", "--out", "x.jsonl", "--provider", "openai"]
      const recorded = await espalier([...predict, "--model", "tiny", "--cassette", "calls.jsonl"])
      assert.strictEqual(recorded.code, 0, recorded.error)
      const { length } = requests
      const playing = pipeline.replace("examples: $items", "cassette: calls.jsonl")
      const { code, out, error } = await run(playing)
      assert.strictEqual(code, 0, error)
      assert.lengthOf(requests, length)
      assert.deepInclude(recordOf(out).steps.asked.metrics, { replayed: length, requests: 0 })
      const other = await run(playing, "--set", "steps.asked.model=another")
      assert.strictEqual(other.code, 2, other.error)
      assertFriendly(other.error)
      assert.lengthOf(requests, length)
    }),
  )

  it(
    "asks a model of the pipeline, on the pipeline's device",
    inPlace(answer, async ({ place, requests, run }) => {
      place.write("items.json", lines.slice(0, 2).join("\n"))
      writeModel(place.at("model"), makeTinyModel({ contextLength: 2048 }))
      const { code, out, error } = await run(`name: local
steps:
  items: { use: fmd/load, path: items.json }
  model: { use: model/load, path: model }
  asked: { use: fmd/verify, items: $items, local: $model, maxTokens: 3 }
  figures: { use: fmd/evaluate, items: $items, verdicts: $asked, resamples: 50 }
`)
      assert.strictEqual(code, 0, error)
      const { asked, figures } = recordOf(out).steps
      // A model that was never trained writes no JSON, at first or when it is asked to mend it.
      assert.deepInclude(asked.metrics, { items: 2, invalid: 2, requests: 4, outputTokens: 12 })
      assert.deepInclude(figures.metrics, { unparsable: 2, accuracy: 0 })
      assert.lengthOf(requests, 0)
    }),
  )

  it(
    "says who is missing, and that a question does not fit a model",
    inPlace(answer, async ({ place, requests, run }) => {
      place.write("items.json", lines.join("\n"))
      writeModel(place.at("model"), makeTinyModel())
      const asking = (who: string) => `name: asking
steps:
  items: { use: fmd/load, path: items.json }
  model: { use: model/load, path: model }
  asked: { use: fmd/verify, items: $items, ${who} }
`
      for (const [who, says] of [
        ["shots: 1", /provider: nobody was named who answers/],
        ["provider: openai", /model: nobody was named who answers/],
        ["local: $model, provider: openai, model: m", /a local model answers already/],
        ["local: $model", /do not fit a model of 32/],
        ["provider: openai, model: m, baseUrl: http://elsewhere", /baseUrl/],
      ] as const) {
        const { code, error } = await run(asking(who))
        assert.notStrictEqual(code, 0, error)
        assertFriendly(error)
        assert.match(error, says)
      }
      assert.lengthOf(requests, 0)
    }),
  )
})

describe.concurrent("trade/ask", () => {
  const answer = (request: string) =>
    JSON.stringify({
      action: request.includes("growth") ? "buy" : "sell",
      reason: "the news",
      memoryIds: [999],
    })

  it(
    "learns and trades, goes on where a budget ended, and keeps the decisions",
    inPlace(answer, async ({ place, requests, run }) => {
      place.write("market.json", JSON.stringify(market))
      const window = `from: "${dateOf(5)}", to: "${dateOf(9)}"`
      const warmUp = `warmUpFrom: "${dateOf(0)}", warmUpTo: "${dateOf(4)}"`
      const pipeline = `name: ask
steps:
  asked: { use: trade/ask, path: market.json, ${window}, ${warmUp}, provider: openai, model: tiny }
  held: { use: trade/backtest, path: market.json, ${window}, agent: buy-and-hold }
  table: { use: report/table, columns: [cumulativeReturn, sharpe], rows: { asked: $asked, held: $held } }
`
      const stopped = await run(pipeline, "--set", "steps.asked.budgetRequests=7")
      assert.strictEqual(stopped.code, 1, stopped.error)
      assert.lengthOf(requests, 7)
      const { code, out, error } = await run(pipeline)
      assert.strictEqual(code, 0, error)
      assert.lengthOf(requests, 10)
      const { metrics } = recordOf(out).steps.asked
      assert.deepInclude(metrics, { days: 5, requests: 3, inventedMemories: 5 })
      assert.strictEqual(
        Object.values(metrics.actions as Record<string, number>).reduce((a, b) => a + b),
        5,
      )
    }),
  )
})
