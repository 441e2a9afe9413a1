import { Clock, Duration, Effect, Record, Redacted, Stream } from "effect"
import {
  FetchHttpClient,
  HttpBody,
  HttpClient,
  HttpClientRequest,
  type HttpClientResponse,
} from "effect/http"
import type { Json } from "../canonical_json.ts"
import {
  connectionProblem,
  type Endpoint,
  type HttpProblem,
  rubbishProblem,
  statusProblem,
  timeoutProblem,
} from "./http_problem.ts"
import type { Gate, RateLimit } from "./rate_limit.ts"
import { retrying, retryingStream, type RetryPolicy } from "./retry.ts"
import { serverEvents } from "./server_events.ts"

/** How a provider deals with its server. */
export interface TransportOptions extends RetryPolicy {
  /** The longest wait for a whole answer, or for the first part of a streamed one; 2 minutes by default. */
  readonly timeout?: Duration.Input
  /** The longest silence within a streamed answer; 1 minute by default. */
  readonly stallTimeout?: Duration.Input
  /** What the server allows; no limit by default. */
  readonly rateLimit?: RateLimit
}

/** Sends requests to a server as its options say. */
export interface Transport {
  readonly client: HttpClient.HttpClient
  readonly options: TransportOptions
  readonly gate: Gate
}

/** A request that is to be sent. */
export interface Posting {
  readonly endpoint: Endpoint
  readonly body: Json
  /** What the rate limit counts it with. */
  readonly tokens: number
}

const isOk = (status: number) => status >= 200 && status < 300

/** The answer's head; a status that is not 2xx is a problem. */
const post = Effect.fnUntraced(function* ({ client }: Transport, { endpoint, body }: Posting) {
  const request = HttpClientRequest.post(endpoint.url, {
    headers: Record.map(endpoint.headers, (value) =>
      Redacted.isRedacted(value) ? Redacted.value(value) : value,
    ),
    body: HttpBody.jsonUnsafe(body),
  })
  const cut = (cause: unknown) => connectionProblem(endpoint, cause)
  const response = yield* client.execute(request).pipe(
    // A trace would hold the URL and send its own headers to the server.
    Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
    // Another server than the named one must not see the key.
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "error" }),
    Effect.mapError(cut),
  )
  if (isOk(response.status)) return response
  const text = yield* Effect.mapError(response.text, cut)
  const { status, headers } = response
  const now = yield* Clock.currentTimeMillis
  return yield* statusProblem(endpoint, { status, headers, body: text }, now)
})

const readJson = Effect.fnUntraced(function* (
  endpoint: Endpoint,
  response: HttpClientResponse.HttpClientResponse,
) {
  const text = yield* Effect.mapError(response.text, (cause) => connectionProblem(endpoint, cause))
  return yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => rubbishProblem(endpoint, "JSON", text === "" ? "nothing" : text),
  })
})

const usual = { timeout: Duration.minutes(2), stallTimeout: Duration.minutes(1) }

/** Posts JSON and reads JSON. */
export const postJson = (
  transport: Transport,
  posting: Posting,
): Effect.Effect<unknown, HttpProblem> => {
  const { endpoint, tokens } = posting
  const duration = Duration.fromInputUnsafe(transport.options.timeout ?? usual.timeout)
  const once = post(transport, posting).pipe(
    Effect.flatMap((response) => readJson(endpoint, response)),
    Effect.timeoutOrElse({
      duration,
      orElse: () => Effect.fail(timeoutProblem(endpoint, "answer", duration)),
    }),
  )
  return retrying(transport.options, Effect.andThen(transport.gate(tokens), once))
}

/** Posts JSON and reads the data of the events that come back. */
const postEventsOnce = (
  transport: Transport,
  posting: Posting,
): Stream.Stream<string, HttpProblem> => {
  const { endpoint, tokens } = posting
  const duration = Duration.fromInputUnsafe(transport.options.timeout ?? usual.timeout)
  const stall = Duration.fromInputUnsafe(transport.options.stallTimeout ?? usual.stallTimeout)
  const opened = post(transport, posting).pipe(
    Effect.timeoutOrElse({
      duration,
      orElse: () => Effect.fail(timeoutProblem(endpoint, "answer", duration)),
    }),
  )
  return Stream.unwrap(
    Effect.map(Effect.andThen(transport.gate(tokens), opened), (response) =>
      response.stream.pipe(
        Stream.mapError((cause) => connectionProblem(endpoint, cause)),
        Stream.timeoutOrElse({
          duration: stall,
          orElse: () => Stream.fail(timeoutProblem(endpoint, "next part", stall)),
        }),
        serverEvents,
        Stream.catchTag("SseError", ({ message }) =>
          Stream.fail(rubbishProblem(endpoint, "server-sent events", message)),
        ),
      ),
    ),
  )
}

/**
 * Posts JSON and reads a stream of parts that `read` makes of its events. Repeated as long as no part
 * was given out.
 */
export const postStream = <A>(
  transport: Transport,
  posting: Posting,
  read: (events: Stream.Stream<string, HttpProblem>) => Stream.Stream<A, HttpProblem>,
): Stream.Stream<A, HttpProblem> =>
  retryingStream(
    transport.options,
    Stream.suspend(() => read(postEventsOnce(transport, posting))),
  )
