import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, Schema, Stream } from "effect"
import { type AiError, LanguageModel, Tool, Toolkit } from "effect/ai"
import { FetchHttpClient } from "effect/http"
import { Notices } from "@espalier/runtime"
import { withSampling } from "../sampling.ts"
import {
  completion,
  completionEvents,
  events,
  json,
  type LoopbackServer,
  type Reply,
  startServer,
  stream,
  text,
} from "../testing/loopback_server.ts"
import { openAi, type OpenAiOptions } from "./openai.ts"

const key = Redacted.make("sk-test-0123456789abcdef")

/** A model of a server that answers with these replies; waits between attempts are short. */
const model = (server: LoopbackServer, options: Partial<OpenAiOptions> = {}) =>
  openAi({
    model: "m",
    baseUrl: `${server.url}/v1`,
    apiKey: key,
    firstDelay: 5,
    ...options,
  }).pipe(Layer.provide(FetchHttpClient.layer), Layer.orDie)

const ask = (server: LoopbackServer, options?: Partial<OpenAiOptions>) =>
  LanguageModel.generateText({ prompt: "Hello" }).pipe(Effect.provide(model(server, options)))

const askStream = (server: LoopbackServer, options?: Partial<OpenAiOptions>) =>
  LanguageModel.streamText({ prompt: "Hello" }).pipe(
    Stream.provide(model(server, options)),
    Stream.runCollect,
  )

const deltas = (parts: ReadonlyArray<{ readonly type: string; readonly delta?: string }>) =>
  parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("")

const reasonOf = (error: AiError.AiError) => error.reason._tag

const tooMany: Reply = json({ error: { message: "slow down" } }, 429)

describe("openAi", () => {
  it.live("asks with key, settings and messages, and reads text, reason and tokens", () =>
    Effect.gen(function* () {
      const usage = {
        prompt_tokens: 20,
        completion_tokens: 5,
        prompt_tokens_details: { cached_tokens: 8 },
      }
      const server = yield* startServer(json(completion("Hi.", { usage })))
      const settings = { temperature: 0.2, topP: 0.9, maxTokens: 50, seed: 3, stop: ["END"] }
      const response = yield* LanguageModel.generateText({
        prompt: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Hello" },
        ],
      }).pipe(withSampling({ temperature: 0 }), Effect.provide(model(server, settings)))
      assert.strictEqual(response.text, "Hi.")
      assert.strictEqual(response.finishReason, "stop")
      assert.strictEqual(response.usage.inputTokens.total, 20)
      assert.strictEqual(response.usage.inputTokens.uncached, 12)
      const [seen] = server.seen
      assert.strictEqual(seen.url, "/v1/chat/completions")
      assert.strictEqual(seen.headers.authorization, `Bearer ${Redacted.value(key)}`)
      assert.isUndefined(seen.headers.traceparent)
      assert.deepStrictEqual(seen.body, {
        model: "m",
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Hello" },
        ],
        temperature: 0,
        top_p: 0.9,
        max_tokens: 50,
        seed: 3,
        stop: ["END"],
      })
    }),
  )

  it.live("calls tools and goes on with what they gave", () =>
    Effect.gen(function* () {
      const Height = Tool.make("height", {
        description: "Height of a mountain",
        parameters: Schema.Struct({ name: Schema.String }),
        success: Schema.Finite,
      })
      const toolkit = Toolkit.make(Height)
      const handlers = toolkit.toLayer({ height: () => Effect.succeed(1345) })
      const call = {
        id: "t1",
        type: "function",
        function: { name: "height", arguments: '{"name":"Ben Nevis"}' },
      }
      const server = yield* startServer(
        json({
          choices: [
            { message: { content: null, tool_calls: [call] }, finish_reason: "tool_calls" },
          ],
        }),
        json(completion("1,345 m")),
      )
      const answered = Effect.gen(function* () {
        const first = yield* LanguageModel.generateText({ prompt: "How tall?", toolkit })
        assert.strictEqual(first.toolResults[0].result, 1345)
        return yield* LanguageModel.generateText({
          prompt: [
            { role: "user", content: "How tall?" },
            {
              role: "assistant",
              content: [
                { type: "tool-call", id: "t1", name: "height", params: { name: "Ben Nevis" } },
              ],
            },
            {
              role: "tool",
              content: [
                { type: "tool-result", id: "t1", name: "height", isFailure: false, result: 1345 },
              ],
            },
          ],
          toolkit,
        })
      })
      const response = yield* answered.pipe(Effect.provide([model(server), handlers]))
      assert.strictEqual(response.text, "1,345 m")
      const [first, second] = server.seen
      assert.deepInclude(first.body, { tool_choice: "auto" })
      assert.deepStrictEqual((second.body["messages"] as ReadonlyArray<unknown>).slice(1), [
        {
          role: "assistant",
          content: null,
          tool_calls: [call],
        },
        { role: "tool", tool_call_id: "t1", content: "1345" },
      ])
    }),
  )

  it.live("streams texts, thoughts and calls of tools", () =>
    Effect.gen(function* () {
      const chunk = (delta: unknown) => ({ id: "c1", model: "m", choices: [{ delta }] })
      const server = yield* startServer(
        stream([
          events(
            chunk({ reasoning_content: "hm" }),
            chunk({ content: "Let me " }),
            chunk({ content: "see." }),
            chunk({
              tool_calls: [{ index: 0, id: "t1", function: { name: "height", arguments: "" } }],
            }),
            chunk({ tool_calls: [{ index: 0, function: { arguments: '{"name":' } }] }),
            chunk({ tool_calls: [{ index: 0, function: { arguments: '"Ben"}' } }] }),
            { choices: [{ delta: {}, finish_reason: "tool_calls" }] },
            "[DONE]",
          ),
        ]),
      )
      const Height = Tool.make("height", { parameters: Schema.Struct({ name: Schema.String }) })
      const parts = yield* LanguageModel.streamText({
        prompt: "How tall?",
        toolkit: Toolkit.make(Height)
          .toHandlers({ height: () => Effect.void })
          .pipe(Effect.flatMap((context) => Effect.provideContext(Toolkit.make(Height), context))),
        disableToolCallResolution: true,
      }).pipe(Stream.provide(model(server)), Stream.runCollect)
      assert.deepStrictEqual(
        parts.map(({ type }) => type),
        [
          "response-metadata",
          "reasoning-start",
          "reasoning-delta",
          "reasoning-end",
          "text-start",
          "text-delta",
          "text-delta",
          "text-end",
          "tool-params-start",
          "tool-params-delta",
          "tool-params-delta",
          "tool-params-end",
          "tool-call",
          "finish",
        ],
      )
    }),
  )

  describe("with a schema", () => {
    const Height = Schema.Struct({ metres: Schema.Finite, note: Schema.optionalKey(Schema.String) })
    const askObject = (server: LoopbackServer, options?: Partial<OpenAiOptions>) =>
      LanguageModel.generateObject({
        prompt: "How tall?",
        schema: Height,
        objectName: "height",
      }).pipe(Effect.provide(model(server, options)), Notices.collect)

    it.live("constrains the answer", () =>
      Effect.gen(function* () {
        const server = yield* startServer(json(completion('{"metres": 1345, "note": null}')))
        const [{ value }] = yield* askObject(server)
        assert.deepStrictEqual(value, { metres: 1345 })
        assert.deepInclude(server.seen[0].body["response_format"], { type: "json_schema" })
      }),
    )

    it.live("describes it in the prompt where the server refuses, says so, and remembers", () =>
      Effect.gen(function* () {
        const refusal = json({ error: { message: "response_format is not supported" } }, 400)
        const server = yield* startServer(refusal, json(completion('Sure: ```{"metres": 1345}```')))
        const [responses, notices] = yield* Effect.all([
          LanguageModel.generateObject({ prompt: "How tall?", schema: Height }),
          LanguageModel.generateObject({ prompt: "How tall?", schema: Height }),
        ]).pipe(Effect.provide(model(server)), Notices.collect)
        assert.strictEqual(responses[1].value.metres, 1345)
        assert.strictEqual(server.seen.length, 3)
        assert.isUndefined(server.seen[1].body["response_format"])
        assert.match(JSON.stringify(server.seen[1].body["messages"]), /JSON Schema/)
        assert.match(notices[0], /described in the prompt/)
      }),
    )

    it.live("does not take another refusal for this one", () =>
      Effect.gen(function* () {
        const server = yield* startServer(json({ error: { message: "context too long" } }, 400))
        const error = yield* Effect.flip(askObject(server))
        assert.strictEqual(reasonOf(error), "InvalidRequestError")
        assert.strictEqual(server.seen.length, 1)
      }),
    )

    it.live("that has no struct at its root is refused with what to do", () =>
      Effect.gen(function* () {
        const server = yield* startServer(json(completion("1")))
        const schema = Schema.Union([Height, Schema.Struct({ feet: Schema.Finite })])
        const error = yield* LanguageModel.generateObject({ prompt: "x", schema }).pipe(
          Effect.provide(model(server)),
          Effect.flip,
        )
        assert.match(error.message, /Use a Schema.Struct at the root/)
        assert.strictEqual(server.seen.length, 0)
      }),
    )
  })

  describe("when the server is in trouble", () => {
    it.live("repeats 429, 500 and cut connections, and then has its answer", () =>
      Effect.gen(function* () {
        const server = yield* startServer(
          tooMany,
          json({ error: "oops" }, 500),
          (response) => response.destroy(),
          (response) => {
            response.writeHead(200, { "content-length": "1000" })
            response.write('{"choices": [')
            setTimeout(() => response.destroy(), 10)
          },
          json(completion("at last")),
        )
        assert.strictEqual((yield* ask(server)).text, "at last")
        assert.strictEqual(server.seen.length, 5)
      }),
    )

    it.live("waits as long as Retry-After says", () =>
      Effect.gen(function* () {
        const server = yield* startServer(
          json({}, 429, { "retry-after-ms": "300" }),
          json(completion("thanks")),
        )
        const [duration] = yield* Effect.timed(ask(server))
        assert.isAtLeast(Duration.toMillis(duration), 290)
      }),
    )

    it.live("gives up where Retry-After is too long, and says how long", () =>
      Effect.gen(function* () {
        const server = yield* startServer(json({}, 429, { "retry-after": "3600" }))
        const error = yield* Effect.flip(ask(server))
        assert.strictEqual(reasonOf(error), "RateLimitError")
        assert.match(error.message, /Retry after 1h/)
        assert.match(error.message, /rateLimit/)
        assert.strictEqual(server.seen.length, 1)
      }),
    )

    it.live("gives up after the last repetition", () =>
      Effect.gen(function* () {
        const server = yield* startServer(json({ error: { message: "broken" } }, 503))
        const error = yield* Effect.flip(ask(server, { retries: 2 }))
        assert.strictEqual(reasonOf(error), "InternalProviderError")
        assert.match(error.message, /503: broken/)
        assert.strictEqual(server.seen.length, 3)
      }),
    )

    it.live("does not repeat what repeating does not help, and shows no key", () =>
      Effect.gen(function* () {
        for (const [status, reason] of [
          [400, "InvalidRequestError"],
          [401, "AuthenticationError"],
          [403, "AuthenticationError"],
          [404, "InvalidRequestError"],
        ] as const) {
          const said = { error: { message: `no such key: ${Redacted.value(key)}` } }
          const server = yield* startServer(json(said, status))
          const error = yield* Effect.flip(ask(server))
          assert.strictEqual(reasonOf(error), reason)
          assert.strictEqual(server.seen.length, 1)
          assert.notInclude(JSON.stringify(error) + error.message, Redacted.value(key))
          assert.include(error.message, "[redacted]")
        }
      }),
    )

    it.live("names rubbish for what it is, without asking again", () =>
      Effect.gen(function* () {
        for (const rubbish of [
          text("<html><body>Welcome to nginx!</body></html>"),
          text('{"choices": [', 200, "application/json"),
          text(""),
          json({ choices: [] }),
          json({ choices: [{ message: { content: 7 } }] }),
        ]) {
          const server = yield* startServer(rubbish)
          const error = yield* Effect.flip(ask(server))
          assert.strictEqual(reasonOf(error), "InvalidResponseError")
          assert.match(error.message, /did not answer with .*--base-url/)
          assert.strictEqual(server.seen.length, 1)
        }
      }),
    )

    it.live("follows no redirection, so that no other server sees the key", () =>
      Effect.gen(function* () {
        const other = yield* startServer(json(completion("stolen")))
        const server = yield* startServer((response) => {
          response.writeHead(307, { location: `${other.url}/v1/chat/completions` })
          response.end()
        })
        const error = yield* Effect.flip(ask(server, { retries: 0 }))
        assert.match(error.message, /redirect/)
        assert.strictEqual(other.seen.length, 0)
      }),
    )

    it.live("does not wait for ever", () =>
      Effect.gen(function* () {
        const server = yield* startServer(() => {}, json(completion("later")))
        assert.strictEqual((yield* ask(server, { timeout: 100 })).text, "later")
        const silent = yield* startServer(() => {})
        const error = yield* Effect.flip(ask(silent, { timeout: 50, retries: 1 }))
        assert.match(error.message, /no answer within 50ms/)
        assert.strictEqual(silent.seen.length, 2)
      }),
    )

    it.live("reports a server that is not there", () =>
      Effect.gen(function* () {
        const server = yield* Effect.scoped(startServer(tooMany))
        const error = yield* Effect.flip(ask(server, { retries: 0 }))
        assert.strictEqual(reasonOf(error), "NetworkError")
        assert.match(error.message, /Is the server running/)
      }),
    )
  })

  describe("when a stream is in trouble", () => {
    const told = completionEvents("Over ", "the hills 🌲")
    const bytes = new TextEncoder().encode(told)
    // In the middle of the tree, whose four bytes are the last of the text.
    const inTree = bytes.indexOf(0xf0) + 2

    it.live("reads it wherever it is cut into pieces", () =>
      Effect.gen(function* () {
        const pieces = Array.from(bytes, (byte) => Uint8Array.of(byte))
        const server = yield* startServer(stream(pieces))
        assert.strictEqual(deltas(yield* askStream(server)), "Over the hills 🌲")
      }),
    )

    it.live("asks again as long as nothing was given out", () =>
      Effect.gen(function* () {
        const server = yield* startServer(
          tooMany,
          stream([], "cut"),
          stream([": waiting\n\n"], "end"),
          stream([told]),
        )
        assert.strictEqual(deltas(yield* askStream(server)), "Over the hills 🌲")
        assert.strictEqual(server.seen.length, 4)
      }),
    )

    it.live("fails where it is cut later: between chunks, in one, in a character", () =>
      Effect.gen(function* () {
        const betweenChunks = bytes.indexOf(10) + 2
        for (const place of [betweenChunks, inTree, bytes.length - 60]) {
          for (const end of ["cut", "end"] as const) {
            const server = yield* startServer(stream([bytes.slice(0, place)], end))
            const error = yield* Effect.flip(askStream(server))
            assert.strictEqual(reasonOf(error), "NetworkError", `${place} ${end}`)
            assert.strictEqual(server.seen.length, 1)
          }
        }
      }),
    )

    it.live("fails where the server falls silent", () =>
      Effect.gen(function* () {
        const server = yield* startServer(stream([bytes.slice(0, inTree)], "stall"))
        const error = yield* Effect.flip(askStream(server, { stallTimeout: 80 }))
        assert.match(error.message, /no next part within 80ms/)
      }),
    )

    it.live("tells what the server says is wrong", () =>
      Effect.gen(function* () {
        const said = events({ error: { message: "out of memory", type: "server_error" } })
        const first = completionEvents("Over ").split("\n\n")[0]
        const server = yield* startServer(stream([`${first}\n\n${said}`]))
        const error = yield* Effect.flip(askStream(server))
        assert.match(error.message, /out of memory/)
      }),
    )
  })
})
