import { Effect, Option, Stream } from "effect"
import type { Response } from "effect/ai"
import {
  connectionProblem,
  type Endpoint,
  type HttpProblem,
  rubbishProblem,
} from "../http/http_problem.ts"

type Parts = ReadonlyArray<Response.StreamPartEncoded>

/** How the events of a streamed answer become its parts. */
export interface StreamReader<A> {
  /** What the events are, for an error: `events of a message`. */
  readonly expected: string
  readonly decode: (found: unknown) => Option.Option<A>
  /** The problem that an event tells of instead. */
  readonly errorTold: (endpoint: Endpoint, found: unknown) => HttpProblem | undefined
  /** What puts the parts of one answer together. `end` fails where the answer has not ended. */
  readonly makeAssembler: (endpoint: Endpoint) => {
    readonly push: (event: A) => Effect.Effect<Parts, HttpProblem>
    readonly end: () => Effect.Effect<Parts, HttpProblem>
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The parts of a streamed answer. A stream that ends before its answer does is a cut connection. */
export const assembleStream = <A>(
  endpoint: Endpoint,
  events: Stream.Stream<string, HttpProblem>,
  { expected, decode, errorTold, makeAssembler }: StreamReader<A>,
): Stream.Stream<Response.StreamPartEncoded, HttpProblem> =>
  Stream.suspend(() => {
    const assembler = makeAssembler(endpoint)
    const read = (text: string) =>
      Effect.suspend(() => {
        const found = parse(text)
        const problem = errorTold(endpoint, found)
        if (problem !== undefined) return Effect.fail(problem)
        return Option.match(decode(found), {
          onNone: () =>
            Effect.fail(
              found === undefined
                ? connectionProblem(endpoint, new Error("an event of the stream is not whole"))
                : rubbishProblem(endpoint, expected, text),
            ),
          onSome: assembler.push,
        })
      })
    return events.pipe(
      Stream.mapEffect(read),
      Stream.concat(Stream.fromEffect(Effect.suspend(() => assembler.end()))),
      Stream.flattenIterable,
    )
  })
