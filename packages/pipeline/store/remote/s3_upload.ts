import { Effect, Exit } from "effect"
import type { RemoteContent } from "./remote.ts"
import type { RemoteError } from "./remote_error.ts"
import type { S3Client } from "./s3_client.ts"
import { elementText } from "./s3_failure.ts"

const mebibyte = 1 << 20

/** What is larger goes in parts of this size, so that a broken connection costs one part. */
const partBytes = 8 * mebibyte
/** The service takes so many. */
const mostParts = 10_000
/** Parts on their way at the same time, each of them in memory. */
const partsAtOnce = 3

const readAll = <E>({ read }: RemoteContent<E>, offset: number, length: number) =>
  length === 0 ? Effect.succeed(new Uint8Array()) : read(offset, length)

/** Puts a content under a key, in parts where it is large. What was begun and not ended is taken back. */
export const upload = <E>(
  client: S3Client,
  key: string,
  content: RemoteContent<E>,
): Effect.Effect<void, E | RemoteError> =>
  Effect.gen(function* () {
    const { bytes } = content
    if (bytes <= partBytes) {
      const body = yield* readAll(content, 0, bytes)
      return yield* client.patiently(client.ask({ method: "PUT", key, body }))
    }
    const size = Math.max(partBytes, Math.ceil(bytes / mostParts / mebibyte) * mebibyte)
    const parts = Array.from({ length: Math.ceil(bytes / size) }, (_, index) => ({
      number: index + 1,
      offset: index * size,
      length: Math.min(size, bytes - index * size),
    }))
    yield* Effect.acquireUseRelease(
      begin(client, key),
      Effect.fnUntraced(function* (uploadId) {
        const tags = yield* Effect.forEach(
          parts,
          Effect.fnUntraced(function* ({ number, offset, length }) {
            const body = yield* readAll(content, offset, length)
            const query = { partNumber: `${number}`, uploadId }
            const send = client.ask({ method: "PUT", key, query, body })
            const { headers } = yield* client.patiently(send)
            return headers.get("etag") ?? ""
          }),
          { concurrency: partsAtOnce },
        )
        yield* end(client, key, uploadId, tags)
      }),
      (uploadId, exit) =>
        Exit.isSuccess(exit)
          ? Effect.void
          : Effect.ignore(client.ask({ method: "DELETE", key, query: { uploadId } })),
    )
  })

const begin = (client: S3Client, key: string) =>
  client.patiently(
    Effect.gen(function* () {
      const response = yield* client.send({ method: "POST", key, query: { uploads: "" } })
      const text = yield* client.readText(response)
      return elementText(text, "UploadId") ?? (yield* Effect.fail(client.refuse(response, text)))
    }),
  )

const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")

/** Says that all parts are there. An answer may begin well and tell a failure in its words. */
const end = (client: S3Client, key: string, uploadId: string, tags: ReadonlyArray<string>) => {
  const parts = tags.map(
    (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escape(tag)}</ETag></Part>`,
  )
  const xml = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`
  const body = new TextEncoder().encode(xml)
  return client.patiently(
    Effect.gen(function* () {
      const response = yield* client.send({ method: "POST", key, query: { uploadId }, body })
      const text = yield* client.readText(response)
      if (text.includes("<Error>")) return yield* Effect.fail(client.refuse(response, text))
    }),
  )
}
