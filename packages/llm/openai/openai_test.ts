import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema, Stream } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import { Notices } from "@espalier/runtime"
import { withSampling } from "../sampling.ts"
import {
  completion,
  events,
  json,
  type LoopbackServer,
  startServer,
  stream,
} from "../testing/loopback_server.ts"
import { key, model, reasonOf } from "../testing/open_ai_model.ts"
import type { OpenAiOptions } from "./openai.ts"

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
})
