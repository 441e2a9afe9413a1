import { Effect, Option } from "effect"
import { ignoresConditions } from "./check_remote.ts"
import type { Remote } from "./remote.ts"
import { parseS3Address } from "./s3_address.ts"
import { makeS3Client, type S3Times, usualTimes } from "./s3_client.ts"
import { elementText } from "./s3_failure.ts"
import { type S3Settings, s3SettingsFromEnvironment } from "./s3_settings.ts"
import { upload } from "./s3_upload.ts"

/** Names that a list holds; they are hexadecimal, or have no characters that XML writes otherwise. */
const namesIn = (xml: string): ReadonlyArray<string> =>
  (xml.match(/<Key>[^<]*<\/Key>/g) ?? []).map((key) => elementText(key, "Key") ?? "")

/**
 * A place in an S3-compatible service. Sends nothing yet; see `openRemote`.
 *
 * Fails with `InvalidRemoteAddress`.
 */
export const s3Remote = Effect.fnUntraced(function* (
  text: string,
  settings: S3Settings,
  times: S3Times = usualTimes,
) {
  const address = yield* parseS3Address(text)
  const client = makeS3Client(address, settings, times)
  const keyOf = (name: string) => address.prefix + name

  const size = Effect.fnUntraced(function* (name: string) {
    const response = yield* client.send({ method: "HEAD", key: keyOf(name), expected: [404] })
    return response.status === 404
      ? Option.none<number>()
      : Option.some(Number(response.headers.get("content-length") ?? Number.NaN))
  }, client.patiently)

  const get: Remote["get"] = (name, receive) =>
    client.patiently(
      Effect.gen(function* () {
        const response = yield* client.send({ method: "GET", key: keyOf(name), expected: [404] })
        if (response.status !== 404) return Option.some(yield* receive(client.bodyOf(response)))
        const words = yield* client.readText(response)
        if (words.includes("NoSuchBucket"))
          return yield* Effect.fail(client.refuse(response, words))
        return Option.none()
      }),
    )

  const putFirst = Effect.fnUntraced(function* (name: string, bytes: Uint8Array) {
    const { status } = yield* client.ask({
      method: "PUT",
      key: keyOf(name),
      headers: { "If-None-Match": "*" },
      body: bytes.slice(),
      expected: [412, 501],
    })
    if (status === 501) return yield* ignoresConditions(address.text)
    return status !== 412
  }, client.patiently)

  const list = Effect.fnUntraced(function* (start: string) {
    const names: Array<string> = []
    let next: string | undefined
    do {
      const query: Record<string, string> = {
        "list-type": "2",
        prefix: keyOf(start),
        ...(next === undefined ? {} : { "continuation-token": next }),
      }
      const xml: string = yield* client.patiently(
        Effect.flatMap(client.send({ method: "GET", query }), client.readText),
      )
      names.push(...namesIn(xml).map((key) => key.slice(address.prefix.length)))
      next = elementText(xml, "NextContinuationToken")
    } while (next !== undefined)
    return names
  })

  const remote: Remote = {
    address: address.text,
    size,
    get,
    put: (name, content) => upload(client, keyOf(name), content),
    putFirst,
    list,
    remove: (name) =>
      client.patiently(
        Effect.asVoid(client.ask({ method: "DELETE", key: keyOf(name), expected: [404] })),
      ),
  }
  return remote
})

/** A remote at an address, with credentials, region and service as the standard variables say. */
export const s3RemoteFromEnvironment = Effect.fnUntraced(function* (text: string) {
  const { text: address } = yield* parseS3Address(text)
  return yield* s3Remote(address, yield* s3SettingsFromEnvironment(address))
})
