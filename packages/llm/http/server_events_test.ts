import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as fc from "fast-check"
import { serverEvents } from "./server_events.ts"

const encoder = new TextEncoder()

/** Cuts bytes at the given places. */
const cut = (bytes: Uint8Array, places: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const borders = [
    ...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length]),
  ]
  const sorted = borders.toSorted((left, right) => left - right)
  return sorted.slice(1).map((end, index) => bytes.slice(sorted[index], end))
}

const read = (chunks: ReadonlyArray<Uint8Array>) =>
  Stream.fromIterable(chunks).pipe(serverEvents, Stream.runCollect, Effect.runPromise)

const data = fc.array(
  fc.string({ unit: "binary", minLength: 1 }).map((text) => JSON.stringify(text)),
  { maxLength: 6 },
)

describe("serverEvents", () => {
  it("gives the same events wherever the bytes are cut, in the middle of characters too", async () => {
    await fc.assert(
      fc.asyncProperty(
        data,
        fc.array(fc.nat(1000), { maxLength: 12 }),
        fc.constantFrom("\n", "\r\n", "\r"),
        async (texts, places, lineEnd) => {
          const sent = texts.map((text) => `event: x${lineEnd}data: ${text}${lineEnd}${lineEnd}`)
          const bytes = encoder.encode(sent.join(""))
          assert.deepStrictEqual(await read(cut(bytes, places)), texts)
        },
      ),
      { numRuns: 200 },
    )
  })

  it("gives an event cut after every single byte", async () => {
    const bytes = encoder.encode(`: a comment\nretry: 10\nid: 1\ndata: {"a":"héllo 🌲"}\n\n`)
    const chunks = Array.from(bytes, (byte) => Uint8Array.of(byte))
    assert.deepStrictEqual(await read(chunks), ['{"a":"héllo 🌲"}'])
  })

  it("joins lines of one event, and counts a last event without its blank line", async () => {
    const bytes = encoder.encode("data: one\ndata: two\n\ndata: [DONE]")
    assert.deepStrictEqual(await read([bytes]), ["one\ntwo", "[DONE]"])
  })
})
