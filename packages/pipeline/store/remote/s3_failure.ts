import { Redacted } from "effect"
import {
  BucketNotFound,
  ClockSkewed,
  RemoteAccessDenied,
  type RemoteError,
  RemoteUnavailable,
  RemoteUnsuitable,
} from "./remote_error.ts"
import type { S3Settings } from "./s3_settings.ts"

/** What a service answered instead of doing what it was asked for. */
export interface S3Refusal {
  readonly status: number
  /** Empty where it says nothing. */
  readonly body: string
  /** Where it says that the bucket is. */
  readonly region: string | null
}

/** The text of an element, where there is one. Elements are not nested into their like in what S3 answers. */
export const elementText = (xml: string, name: string): string | undefined =>
  new RegExp(`<${name}>([^<]*)</${name}>`)
    .exec(xml)?.[1]
    .replaceAll("&quot;", '"')
    .replaceAll("&#34;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&")

/** Takes out of a text what nobody may read. */
const withoutSecrets = ({ secretAccessKey, sessionToken }: S3Settings, text: string): string =>
  [secretAccessKey, sessionToken]
    .flatMap((secret) => (secret === undefined ? [] : [Redacted.value(secret)]))
    .reduce((scrubbed, secret) => scrubbed.replaceAll(secret, "***"), text)

const passing = new Set([408, 409, 425, 429, 500, 502, 503, 504])
const skewed = new Set(["RequestTimeTooSkewed", "RequestExpired"])
const elsewhere = new Set([
  "PermanentRedirect",
  "TemporaryRedirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
])

/** What it means to people that a service refused, and what they can do. */
export const refusalOf = (
  address: string,
  settings: S3Settings,
  { status, body, region }: S3Refusal,
): RemoteError => {
  const code = elementText(body, "Code") ?? ""
  const said = (elementText(body, "Message") ?? "").split("\n")[0]
  const words = [code, said].filter((part) => part !== "").join(": ")
  const detail = withoutSecrets(settings, words === "" ? `status ${status}` : words)
  if (code === "NoSuchBucket") {
    const hint =
      "make the bucket, or correct its name and AWS_ENDPOINT_URL_S3; check AWS_REGION too"
    return new BucketNotFound({ address, detail, hint })
  }
  if (elsewhere.has(code) || (status >= 300 && status < 400)) {
    const where = region ?? elementText(body, "Region")
    const hint = `it is in another region: set AWS_REGION${where === undefined ? "" : `=${where}`}`
    return new BucketNotFound({ address, detail, hint })
  }
  if (skewed.has(code)) {
    return new ClockSkewed({ address, detail, hint: "set this machine's clock" })
  }
  if (passing.has(status) || code === "SlowDown" || code === "RequestTimeout") {
    const hint = "what is done is kept here: run again when the service is back"
    return new RemoteUnavailable({ address, detail, hint })
  }
  if (status === 401 || status === 403 || code === "ExpiredToken" || code === "InvalidToken") {
    const hint =
      code === "ExpiredToken"
        ? "ask for new credentials and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN"
        : "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they may get, put, list and delete what is below this address"
    return new RemoteAccessDenied({ address, detail, hint })
  }
  return new RemoteUnsuitable({
    address,
    detail,
    hint: "give a service that does what Amazon's S3 does: signatures of version 4, multipart uploads, If-None-Match",
  })
}

/** The innermost words of a connection that did not come about. */
const connectionWords = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  if (error.cause !== undefined) return connectionWords(error.cause)
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  return error.message === "" ? code : error.message
}

/** A connection that did not come about, broke off or was silent for too long. */
export const connectionLost = (
  address: string,
  settings: S3Settings,
  error: unknown,
): RemoteUnavailable =>
  new RemoteUnavailable({
    address,
    detail: withoutSecrets(settings, connectionWords(error)),
    hint: "what is done is kept here: check the network and AWS_ENDPOINT_URL_S3, and run again",
  })
