import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import {
  completion,
  completionEvents,
  events,
  json,
  type Reply,
  startServer,
  stream,
  text,
} from "../testing/loopback_server.ts"
import { ask, askStream, deltas, key, reasonOf } from "../testing/open_ai_model.ts"

const tooMany: Reply = json({ error: { message: "slow down" } }, 429)

describe("openAi, when the server is in trouble", () => {
  it.live("repeats 429, 408, 500 and cut connections, and then has its answer", () =>
    Effect.gen(function* () {
      const server = yield* startServer(
        tooMany,
        json({}, 408),
        json({ error: "oops" }, 500),
        (response) => response.destroy(),
        (response) => {
          response.writeHead(200, { "content-length": "1000" })
          response.write('{"choices": [')
          setTimeout(() => response.destroy(), 10)
        },
        json(completion("at last")),
      )
      assert.strictEqual((yield* ask(server, { retries: 5 })).text, "at last")
      assert.strictEqual(server.seen.length, 6)
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

  it.live("does not wait for a quota that is used up", () =>
    Effect.gen(function* () {
      const error = { message: "You exceeded your current quota", code: "insufficient_quota" }
      for (const [body, status] of [
        [{ error }, 429],
        [{ error: { message: "Insufficient credits" } }, 402],
      ] as const) {
        const server = yield* startServer(json(body, status))
        const failure = yield* Effect.flip(ask(server))
        assert.strictEqual(reasonOf(failure), "QuotaExhaustedError")
        assert.include(failure.message, body.error.message)
        assert.match(failure.message, /billing page/)
        assert.strictEqual(server.seen.length, 1)
      }
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
      assert.strictEqual((yield* ask(server, { timeout: 1000 })).text, "later")
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

describe("openAi, when a stream is in trouble", () => {
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
