import { Effect } from "effect"
import { InvalidRemoteAddress } from "./remote_error.ts"

/** Where a remote is: a bucket, and what all names in it begin with. */
export interface S3Address {
  readonly bucket: string
  /** Empty, or with a slash at its end. */
  readonly prefix: string
  /** For people. */
  readonly text: string
}

const hint =
  "write s3://BUCKET/PREFIX with letters, digits, dot, dash and underscore; credentials belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

/** Reads `s3://bucket/prefix`; the prefix may be left out. What is wrong is not repeated: it may hold a secret. */
export const parseS3Address = (text: string): Effect.Effect<S3Address, InvalidRemoteAddress> => {
  const [, bucket = "", rest = ""] = /^s3:\/\/([^/]*)\/?(.*?)\/?$/.exec(text) ?? []
  const parts = rest === "" ? [] : rest.split("/")
  const sound =
    /^[A-Za-z0-9][\w.-]{1,62}$/.test(bucket) &&
    parts.every((part) => /^[\w.=-]+$/.test(part) && !/^\.+$/.test(part))
  if (!sound) {
    const address = text.startsWith("s3://") ? "s3://…" : "what was given"
    const detail = "it is not s3://BUCKET/PREFIX"
    return Effect.fail(new InvalidRemoteAddress({ address, detail, hint }))
  }
  const prefix = parts.map((part) => `${part}/`).join("")
  return Effect.succeed({ bucket, prefix, text: `s3://${[bucket, ...parts].join("/")}` })
}
