import { Effect, Stream } from "effect"
import * as Sse from "effect/encoding/Sse"

/**
 * The data of the events in a stream of bytes (server-sent events, WHATWG HTML section 9.2), wherever
 * the bytes are cut. A last event without its blank line counts.
 */
export const serverEvents = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
): Stream.Stream<string, E | Sse.SseError, R> =>
  Stream.suspend(() => {
    let events: Array<string> = []
    const parser = Sse.makeParser((event) => {
      if (event._tag === "Event") events.push(event.data)
    })
    const feed = (text: string) =>
      Effect.suspend(() => {
        const error = parser.feed(text)
        if (error !== undefined) return Effect.fail(error)
        const complete = events
        events = []
        return Effect.succeed(complete)
      })
    return bytes.pipe(
      Stream.decodeText(),
      Stream.concat(Stream.make("\n\n")),
      Stream.mapEffect(feed),
      Stream.flattenIterable,
    )
  })
