import { AwsV4Signer } from "aws4fetch"
import { Clock, Effect, Redacted, Schedule, Stream } from "effect"
import { sha256 } from "../../sha256.ts"
import type { RemoteError } from "./remote_error.ts"
import type { S3Address } from "./s3_address.ts"
import { connectionLost, refusalOf } from "./s3_failure.ts"
import type { S3Settings } from "./s3_settings.ts"

/** How long a service is waited for, in milliseconds. */
export interface S3Times {
  /** A silence of so long counts as none at all. */
  readonly silence: number
  /** For so long is tried again what failed for a moment. */
  readonly patience: number
}

export const usualTimes: S3Times = { silence: 30_000, patience: 60_000 }

/** The slowest connection that is waited for: bytes in a millisecond. */
const slowest = 64

export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE"
  /** In the bucket, prefix included; none for the bucket itself. */
  readonly key?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer>
  /** Statuses that are answers and no failures. */
  readonly expected?: ReadonlyArray<number>
}

/** Amazon wants a bucket in the name of the host; others understand it in the path. */
const bucketUrl = ({ bucket }: S3Address, { endpoint, region }: S3Settings): string => {
  if (endpoint !== undefined) return `${endpoint}/${bucket}`
  const host = `s3.${region}.amazonaws.com`
  // A name with dots in it is in no certificate.
  return bucket.includes(".") ? `https://${host}/${bucket}` : `https://${bucket}.${host}`
}

/** See {@link makeS3Client}. */
export type S3Client = ReturnType<typeof makeS3Client>

/** Sends signed requests, one attempt each, and says what their failures mean. */
export const makeS3Client = (address: S3Address, settings: S3Settings, times: S3Times) => {
  const base = bucketUrl(address, settings)
  const keys = new Map<string, ArrayBuffer>()
  const lost = (error: unknown) => connectionLost(address.text, settings, error)
  const silent = () => Effect.fail(lost(new Error("it does not answer")))

  const sign = Effect.fnUntraced(function* ({ method, key, query, headers, body }: S3Request) {
    const path = key === undefined ? "/" : `/${key.split("/").map(encodeURIComponent).join("/")}`
    const now = new Date(yield* Clock.currentTimeMillis)
    const { secretAccessKey, sessionToken, accessKeyId, region } = settings
    const signer = new AwsV4Signer({
      method,
      url: `${base}${path}?${new URLSearchParams(query)}`.replace(/\?$/, ""),
      // With the hash of the body the service notices what was damaged on the way.
      headers: { ...headers, "X-Amz-Content-Sha256": sha256(body ?? "") },
      accessKeyId,
      secretAccessKey: Redacted.value(secretAccessKey),
      ...(sessionToken === undefined ? {} : { sessionToken: Redacted.value(sessionToken) }),
      service: "s3",
      region,
      cache: keys,
      datetime: now.toISOString().replace(/[:-]|\.\d{3}/g, ""),
    })
    return yield* Effect.promise(() => signer.sign())
  })

  const readText = (response: Response) =>
    Effect.tryPromise({ try: () => response.text(), catch: lost }).pipe(
      Effect.timeoutOrElse({ duration: times.silence, orElse: silent }),
    )

  const send = Effect.fnUntraced(function* (request: S3Request) {
    const { body, method, expected = [] } = request
    const signed = yield* sign(request)
    const duration = times.silence + (body?.length ?? 0) / slowest
    const response = yield* Effect.tryPromise({
      try: (signal) =>
        fetch(signed.url, {
          method,
          headers: signed.headers,
          ...(body === undefined ? {} : { body }),
          // A signature is for one host.
          redirect: "manual",
          signal,
        }),
      catch: lost,
    }).pipe(Effect.timeoutOrElse({ duration, orElse: silent }))
    const { status } = response
    if (response.ok || expected.includes(status)) return response
    const words = yield* Effect.orElseSucceed(readText(response), () => "")
    const region = response.headers.get("x-amz-bucket-region")
    return yield* Effect.fail(refusalOf(address.text, settings, { status, body: words, region }))
  })

  /** The bytes of an answer as they come. */
  const bodyOf = (response: Response): Stream.Stream<Uint8Array, RemoteError> =>
    response.body === null
      ? Stream.empty
      : Stream.fromReadableStream({
          evaluate: () => response.body as ReadableStream<Uint8Array>,
          onError: lost,
        }).pipe(
          Stream.timeoutOrElse({
            duration: times.silence,
            orElse: () => Stream.fromEffect(silent()),
          }),
        )

  /** Says why a service refused in an answer that says that all is well. */
  const refuse = (response: Response, body: string): RemoteError =>
    refusalOf(address.text, settings, { status: response.status, body, region: null })

  /** Tries again what failed for a moment. */
  const patiently = <A, E extends { readonly _tag: string }, R>(attempt: Effect.Effect<A, E, R>) =>
    Effect.retry(attempt, {
      while: ({ _tag }) => _tag === "RemoteUnavailable",
      schedule: Schedule.min([Schedule.exponential(200), Schedule.spaced(5000)]).pipe(
        Schedule.jittered,
        Schedule.upTo({ duration: times.patience }),
      ),
    })

  return {
    send,
    readText,
    bodyOf,
    refuse,
    patiently,
    /** For an answer whose words do not matter: they are read, so that the connection can be used again. */
    ask: (request: S3Request) => Effect.tap(send(request), readText),
  }
}
