import { Config, Effect, Option, Redacted } from "effect"
import { RemoteCredentialsMissing } from "./remote_error.ts"

/** Who asks an S3-compatible service, and where it is. */
export interface S3Settings {
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted
  readonly sessionToken?: Redacted.Redacted
  readonly region: string
  /** Of another service than Amazon's: `https://host:port`. */
  readonly endpoint?: string
}

/** The first of some variables that is there and not empty. */
const variable = Effect.fnUntraced(function* (...names: ReadonlyArray<string>) {
  for (const name of names) {
    const value = yield* Effect.orDie(Config.option(Config.String(name)))
    if (Option.isSome(value) && value.value !== "") return value.value
  }
  return undefined
})

const endpointHint = "set AWS_ENDPOINT_URL_S3 to the address of the service: https://HOST:PORT"

/** What the standard variables say: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and their like. */
export const s3SettingsFromEnvironment = Effect.fnUntraced(function* (address: string) {
  const accessKeyId = yield* variable("AWS_ACCESS_KEY_ID")
  const secret = yield* variable("AWS_SECRET_ACCESS_KEY")
  const token = yield* variable("AWS_SESSION_TOKEN")
  const region = yield* variable("AWS_REGION", "AWS_DEFAULT_REGION")
  const endpoint = yield* variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
  if (accessKeyId === undefined || secret === undefined) {
    const missing = [
      ...(accessKeyId === undefined ? ["AWS_ACCESS_KEY_ID"] : []),
      ...(secret === undefined ? ["AWS_SECRET_ACCESS_KEY"] : []),
    ]
    return yield* new RemoteCredentialsMissing({
      address,
      detail: `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not set`,
      hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN where the service gave one",
    })
  }
  if (endpoint !== undefined && !/^https?:\/\/[^/@\s]+\/?$/.test(endpoint)) {
    const detail = "the address of the service is not https://HOST:PORT"
    return yield* new RemoteCredentialsMissing({ address, detail, hint: endpointHint })
  }
  const settings: S3Settings = {
    accessKeyId,
    secretAccessKey: Redacted.make(secret),
    ...(token === undefined ? {} : { sessionToken: Redacted.make(token) }),
    region: region ?? "us-east-1",
    ...(endpoint === undefined ? {} : { endpoint: endpoint.replace(/\/$/, "") }),
  }
  return settings
})
