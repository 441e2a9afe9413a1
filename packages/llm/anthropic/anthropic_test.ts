import { Notices } from "@espalier/runtime"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schema, Stream } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import { FetchHttpClient } from "effect/http"
import { withSampling } from "../sampling.ts"
import {
  events,
  json,
  type LoopbackServer,
  startServer,
  stream,
} from "../testing/loopback_server.ts"
import { anthropic, type AnthropicOptions } from "./anthropic.ts"

const key = Redacted.make("sk-ant-test-0123456789abcdef")

const model = (server: LoopbackServer, options: Partial<AnthropicOptions> = {}) =>
  anthropic({ model: "claude", baseUrl: server.url, apiKey: key, firstDelay: 5, ...options }).pipe(
    Layer.provide(FetchHttpClient.layer),
    Layer.orDie,
  )

const message = (content: ReadonlyArray<unknown>, extra: Record<string, unknown> = {}) => ({
  id: "m1",
  model: "claude",
  content,
  stop_reason: "end_turn",
  usage: {
    input_tokens: 10,
    cache_read_input_tokens: 4,
    cache_creation_input_tokens: 2,
    output_tokens: 3,
  },
  ...extra,
})

const Height = Schema.Struct({ metres: Schema.Finite })

const streamed = events(
  {
    type: "message_start",
    message: { id: "m1", model: "claude", usage: { input_tokens: 10, output_tokens: 1 } },
  },
  { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "hm" } },
  { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "x" } },
  { type: "content_block_stop", index: 0 },
  { type: "ping" },
  { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Über " } },
  { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Stock 🌲" } },
  { type: "content_block_stop", index: 1 },
  {
    type: "content_block_start",
    index: 2,
    content_block: { type: "tool_use", id: "t1", name: "height", input: {} },
  },
  {
    type: "content_block_delta",
    index: 2,
    delta: { type: "input_json_delta", partial_json: '{"name":' },
  },
  {
    type: "content_block_delta",
    index: 2,
    delta: { type: "input_json_delta", partial_json: '"Ben"}' },
  },
  { type: "content_block_stop", index: 2 },
  { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 9 } },
  { type: "message_stop" },
)

const HeightTool = Tool.make("height", { parameters: Schema.Struct({ name: Schema.String }) })
const toolkit = Toolkit.make(HeightTool)
const handlers = toolkit.toLayer({ height: () => Effect.void })

const askStream = (server: LoopbackServer) =>
  LanguageModel.streamText({ prompt: "How tall?", toolkit, disableToolCallResolution: true }).pipe(
    Stream.provide(Layer.merge(model(server), handlers)),
    Stream.runCollect,
  )

describe("anthropic", () => {
  it.live("asks with key, version, system and turns, and reads text and tokens", () =>
    Effect.gen(function* () {
      const server = yield* startServer(json(message([{ type: "text", text: "Hi." }])))
      const response = yield* LanguageModel.generateText({
        prompt: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Hello" },
          { role: "user", content: "again" },
        ],
      }).pipe(
        withSampling({ temperature: 0 }),
        Effect.provide(model(server, { topP: 0.5, stop: ["X"] })),
      )
      assert.strictEqual(response.text, "Hi.")
      assert.deepInclude(response.usage.inputTokens, { total: 16, uncached: 10, cacheRead: 4 })
      const [{ url, headers, body }] = server.seen
      assert.strictEqual(url, "/v1/messages")
      assert.strictEqual(headers["x-api-key"], Redacted.value(key))
      assert.isString(headers["anthropic-version"])
      const content = ["Hello", "again"].map((text) => ({ type: "text", text }))
      assert.deepStrictEqual(body, {
        model: "claude",
        system: "Be brief.",
        messages: [{ role: "user", content }],
        max_tokens: 4096,
        temperature: 0,
        top_p: 0.5,
        stop_sequences: ["X"],
      })
    }),
  )

  it.live("calls tools and sends back what they gave", () =>
    Effect.gen(function* () {
      const call = { type: "tool_use", id: "t1", name: "height", input: { name: "Ben" } }
      const server = yield* startServer(json(message([call], { stop_reason: "tool_use" })))
      const response = yield* LanguageModel.generateText({
        prompt: [
          { role: "user", content: "How tall?" },
          {
            role: "assistant",
            content: [{ type: "tool-call", id: "t0", name: "height", params: { name: "Ben" } }],
          },
          {
            role: "tool",
            content: [
              { type: "tool-result", id: "t0", name: "height", isFailure: true, result: "no" },
            ],
          },
        ],
        toolkit,
        toolChoice: "required",
      }).pipe(Effect.provide([model(server), handlers]))
      assert.strictEqual(response.finishReason, "tool-calls")
      assert.strictEqual(response.toolCalls[0].name, "height")
      const [{ body }] = server.seen
      assert.deepStrictEqual(body["tool_choice"], { type: "any" })
      assert.deepStrictEqual((body["messages"] as ReadonlyArray<unknown>).slice(1), [
        {
          role: "assistant",
          content: [{ type: "tool_use", id: "t0", name: "height", input: { name: "Ben" } }],
        },
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "t0", content: "no", is_error: true }],
        },
      ])
    }),
  )

  it.live("constrains answers to a schema", () =>
    Effect.gen(function* () {
      const server = yield* startServer(json(message([{ type: "text", text: '{"metres":1345}' }])))
      const { value } = yield* LanguageModel.generateObject({ prompt: "x", schema: Height }).pipe(
        Effect.provide(model(server)),
      )
      assert.strictEqual(value.metres, 1345)
      assert.deepInclude(server.seen[0].body, {
        output_config: {
          format: {
            type: "json_schema",
            schema: {
              type: "object",
              properties: { metres: { type: "number" } },
              required: ["metres"],
              additionalProperties: false,
            },
          },
        },
      })
    }),
  )

  it.live("takes the answer by a tool where the server refuses the schema, and says so", () =>
    Effect.gen(function* () {
      const refusal = {
        type: "error",
        error: { type: "invalid_request_error", message: "output_config: not supported" },
      }
      const call = { type: "tool_use", id: "t1", name: "height", input: { metres: 1345 } }
      const server = yield* startServer(
        json(refusal, 400),
        json(message([call], { stop_reason: "tool_use" })),
      )
      const [response, notices] = yield* LanguageModel.generateObject({
        prompt: "x",
        schema: Height,
        objectName: "height",
      }).pipe(Effect.provide(model(server)), Notices.collect)
      assert.strictEqual(response.value.metres, 1345)
      assert.strictEqual(response.finishReason, "stop")
      assert.deepStrictEqual(server.seen[1].body["tool_choice"], { type: "tool", name: "height" })
      assert.match(notices[0], /as a tool/)
    }),
  )

  it.live("streams thoughts, text and calls, wherever the bytes are cut", () =>
    Effect.gen(function* () {
      const bytes = Array.from(new TextEncoder().encode(streamed), (byte) => Uint8Array.of(byte))
      for (const pieces of [[streamed], bytes]) {
        const server = yield* startServer(stream(pieces))
        const parts = yield* askStream(server)
        const text = parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join("")
        assert.strictEqual(text, "Über Stock 🌲")
        const call = parts.find((part) => part.type === "tool-call")
        assert.deepStrictEqual(call?.params, { name: "Ben" })
        const finish = parts.find((part) => part.type === "finish")
        assert.strictEqual(finish?.reason, "tool-calls")
        assert.strictEqual(finish?.usage.inputTokens.total, 10)
        assert.strictEqual(finish?.usage.outputTokens.total, 9)
      }
    }),
  )

  it.live(
    "fails where a stream ends before the message does, and asks again before the first part",
    () =>
      Effect.gen(function* () {
        const overloaded = events({
          type: "error",
          error: { type: "overloaded_error", message: "busy" },
        })
        const cut = yield* startServer(stream([streamed.slice(0, -60)], "cut"))
        assert.strictEqual((yield* Effect.flip(askStream(cut))).reason._tag, "NetworkError")
        const server = yield* startServer(stream([overloaded]), stream([streamed]))
        assert.isAbove((yield* askStream(server)).length, 5)
        assert.strictEqual(server.seen.length, 2)
      }),
  )

  it.live("says that a seed is not sent", () =>
    Effect.gen(function* () {
      const server = yield* startServer(json(message([{ type: "text", text: "Hi." }])))
      const [, notices] = yield* LanguageModel.generateText({ prompt: "x" }).pipe(
        withSampling({ seed: 1 }),
        Effect.provide(model(server)),
        Notices.collect,
      )
      assert.match(notices[0], /takes no seed/)
    }),
  )
})
