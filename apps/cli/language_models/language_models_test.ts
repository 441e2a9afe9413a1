import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { generateObject, typedErrors } from "@espalier/llm"
import { ConfigProvider, Effect, Option, Schema, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"
import { makeTinyModel, writeModel } from "../testing/tiny_model.ts"
import { type LanguageModelChoice, languageModelLayer } from "./language_model_layer.ts"

const none: LanguageModelChoice = {
  provider: Option.none(),
  model: Option.none(),
  baseUrl: Option.none(),
  temperature: Option.none(),
  topP: Option.none(),
  maxTokens: Option.none(),
  samplingSeed: Option.none(),
  cassette: Option.none(),
  cassetteMode: Option.none(),
  budgetCost: Option.none(),
  budgetTokens: Option.none(),
  budgetRequests: Option.none(),
  chatTemplate: Option.none(),
  llmTokenizer: Option.none(),
  llmDevice: "wasm",
}

/** A folder with an untrained model in it, which goes away with the scope. */
const folderWithModel = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => makeFolder("real")),
    ({ remove }) => Effect.sync(remove),
  ),
  (place) => {
    writeModel(place.at("model"), makeTinyModel())
    return place
  },
)

const local = (model: string, choice: Partial<LanguageModelChoice> = {}): LanguageModelChoice => ({
  ...none,
  provider: Option.some("local"),
  model: Option.some(model),
  chatTemplate: Option.some("continue"),
  maxTokens: Option.some(8),
  ...choice,
})

const run = <A, E>(
  choice: LanguageModelChoice,
  effect: Effect.Effect<A, E, LanguageModel.LanguageModel>,
) =>
  typedErrors(effect).pipe(
    Effect.provide(languageModelLayer(choice)),
    Effect.provide(NodeServices.layer),
  )

const tell = LanguageModel.generateText({ prompt: "Mia" })

describe("a local model", () => {
  it.live("answers, counts its tokens, and gives a stream the same text", () =>
    Effect.gen(function* () {
      const place = yield* folderWithModel
      const both = Effect.gen(function* () {
        const response = yield* tell
        const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: "Mia" }))
        return { response, parts }
      })
      const { response, parts } = yield* run(local(place.at("model")), both)
      assert.isAbove(response.text.length, 0)
      assert.isAtMost(response.usage.outputTokens.total ?? 9, 8)
      assert.isAbove(response.usage.inputTokens.total ?? 0, 0)
      const streamed = parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("")
      assert.strictEqual(streamed.trim(), response.text)
    }),
  )

  it.live("samples by its seed", () =>
    Effect.gen(function* () {
      const place = yield* folderWithModel
      const withSeed = (seed: number) =>
        run(
          local(place.at("model"), {
            temperature: Option.some(1),
            samplingSeed: Option.some(seed),
          }),
          tell,
        )
      const texts = yield* Effect.forEach([1, 1, 2], withSeed)
      assert.strictEqual(texts[0].text, texts[1].text)
      assert.notStrictEqual(texts[0].text, texts[2].text)
    }),
  )

  it.live("says so where a question does not fit its context", () =>
    Effect.gen(function* () {
      const place = yield* folderWithModel
      const schema = Schema.Struct({ a: Schema.Finite })
      const asked = generateObject({ prompt: "Mia", schema, objectName: "thing" })
      // The schema alone is longer than what the model can see.
      const error = yield* Effect.flip(run(local(place.at("model")), asked))
      assert.match(error.message, /do not fit a model of 32/)
    }),
  )

  it.live("plays a strict cassette without the model", () =>
    Effect.gen(function* () {
      const place = yield* folderWithModel
      const cassette = Option.some(place.at("calls.jsonl"))
      const choice = local(place.at("model"), { cassette })
      const { text } = yield* run(choice, tell)
      const gone = { ...choice, cassetteMode: Option.some("strict" as const) }
      rmSync(place.at("model"), { recursive: true })
      assert.strictEqual((yield* run(gone, tell)).text, text)
    }),
  )

  it.live("keeps to a budget of requests and tokens, and costs nothing", () =>
    Effect.gen(function* () {
      const place = yield* folderWithModel
      const twice = Effect.andThen(tell, tell)
      const limited = (limits: Partial<LanguageModelChoice>) =>
        run(local(place.at("model"), limits), twice)
      yield* limited({ budgetCost: Option.some(0) })
      const requests = yield* Effect.flip(limited({ budgetRequests: Option.some(1) }))
      const tokens = yield* Effect.flip(limited({ budgetTokens: Option.some(12) }))
      assert.deepStrictEqual([requests._tag, tokens._tag], ["BudgetExhausted", "BudgetExhausted"])
    }),
  )
})

/** A server that answers a streamed question, and keeps what it was asked. */
const startServer = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
    const chunk = (delta: unknown, finish_reason?: string) =>
      `data: ${JSON.stringify({ choices: [{ delta, finish_reason }] })}\n\n`
    const http = createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.end(`${chunk({ content: "1,345 m" })}${chunk({}, "stop")}data: [DONE]\n\n`)
    })
    http.listen(0, "127.0.0.1", () => {
      const { port } = http.address() as AddressInfo
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}/v1`, close: () => void http.close() }))
    })
  }),
  ({ close }) => Effect.sync(close),
)

describe("espalier ask", () => {
  it.live("asks a server, records the answer, plays it, and holds no key", () =>
    Effect.gen(function* () {
      const place = yield* folderWithModel
      const server = yield* startServer
      const OPENAI_API_KEY = "sk-planted-0123456789abcdef"
      const question = ["ask", `How tall is Ben Nevis? ${OPENAI_API_KEY}`, "--provider", "openai"]
      const model = ["--model", "m", "--cassette", "calls.jsonl"]
      const asked = yield* Effect.promise(() =>
        place.espalier([...question, ...model, "--base-url", server.url], {
          env: { OPENAI_API_KEY },
        }),
      )
      assert.deepStrictEqual([asked.code, asked.out], [0, "1,345 m\n"], asked.error)
      assert.match(
        asked.error,
        /^llm: 1 request, \d+ tokens in, \d+ out \(1 estimated\), \$0\.000000\n$/,
      )
      assert.notInclude(readFileSync(place.at("calls.jsonl"), "utf8"), OPENAI_API_KEY)
      // Neither key nor server: the recorded question had its key struck out too.
      const played = yield* Effect.promise(() =>
        place.espalier([...question, ...model, "--cassette-mode", "strict"]),
      )
      assert.strictEqual(played.out, "1,345 m\n", played.error)
      assert.match(played.error, /0 requests, 1 from the cassette/)
    }),
  )

  it.live("says what is wrong, and what to do", () =>
    Effect.gen(function* () {
      const place = yield* folderWithModel
      const strict = ["--cassette", "c", "--cassette-mode", "strict"]
      const wrong = [
        [2, ["--provider", "openai", "--model", "m", ...strict], /it is empty/],
        [1, ["--provider", "local", "--model", "model", "--budget-tokens", "5"], /exhausted/],
      ] as const
      for (const [code, flags, expected] of wrong) {
        const ended = yield* Effect.promise(() => place.espalier(["ask", "Mia", ...flags]))
        assert.strictEqual(ended.code, code, ended.error)
        assertFriendly(ended.error)
        assert.match(ended.error, expected)
      }
      assert.isFalse(existsSync(place.at("c")))
    }),
  )
})

describe("languageModelLayer", () => {
  it.effect("refuses flags that do not go together, before anything is asked", () =>
    Effect.gen(function* () {
      const remote = { ...none, provider: Option.some("openai" as const), model: Option.some("m") }
      const wrong: ReadonlyArray<readonly [LanguageModelChoice, RegExp]> = [
        [none, /no provider was named/],
        [{ ...remote, model: Option.none() }, /no model was named/],
        [remote, /OPENAI_API_KEY is not set/],
        [{ ...remote, provider: Option.some("anthropic") }, /ANTHROPIC_API_KEY is not set/],
        [{ ...remote, baseUrl: Option.some("x") }, /this is no URL/],
        [{ ...remote, cassetteMode: Option.some("strict") }, /there is no cassette/],
        [{ ...remote, chatTemplate: Option.some("plain") }, /local models alone/],
        [local("nowhere"), /nowhere/],
        [local("nowhere", { baseUrl: Option.some("http://localhost") }), /has no server/],
      ]
      for (const [choice, expected] of wrong) {
        const error = yield* Effect.flip(run(choice, tell))
        assert.match(error.message, expected)
      }
    }).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({})))),
  )
})
