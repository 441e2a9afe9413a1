import { Data, Duration, type Redacted } from "effect"
import { AiError } from "effect/ai"
import { publicUrl, scrubSecrets } from "../secrets.ts"

/** Where a server's API stands, and what it takes to be let in. */
export interface Endpoint {
  /** Whole, with the path of the call. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | Redacted.Redacted>>
  readonly secrets: ReadonlyArray<Redacted.Redacted>
  /** What to do where the key is refused. */
  readonly keyHint: string
}

/** Why a request failed, and whether the same request may succeed later. */
export class HttpProblem extends Data.TaggedError("HttpProblem")<{
  readonly reason: AiError.AiErrorReason
  readonly retryable: boolean
  /** How long the server wants to be left alone. */
  readonly retryAfter?: Duration.Duration
  /** The status of the answer, where there was one. */
  readonly status?: number
}> {}

/** A problem as the error that Effect's interfaces fail with. */
export const asAiError =
  (module: string, method: string) =>
  ({ reason }: HttpProblem): AiError.AiError =>
    AiError.make({ module, method, reason })

/** A refusal for too many requests whose message says what to do. */
class TooManyRequests extends AiError.RateLimitError {
  override get message(): string {
    return `${super.message}. Wait, or set a rate limit (the option rateLimit) below the server's`
  }
}

/** A quota that waiting does not refill, whose message is what the server says and what to do. */
class QuotaSpent extends AiError.QuotaExhaustedError {
  override get message(): string {
    const { said } = this.metadata
    const what = typeof said === "string" ? said : super.message
    return `${what}. The quota of the account is used up: see its billing page`
  }
}

/** A connection that failed, whose message is what happened and what to do. */
class NoAnswer extends AiError.NetworkError {
  override get message(): string {
    return this.description ?? super.message
  }
}

const shownCharacters = 400

/** The beginning of a text from outside, fit for an error. */
const excerpt = (text: string, secrets: Endpoint["secrets"]): string => {
  const scrubbed = scrubSecrets(text, secrets).replaceAll(/\s+/g, " ").trim()
  const shown = scrubbed.slice(0, shownCharacters)
  return shown.length < scrubbed.length ? `${shown}…` : shown
}

/** What a server says is wrong: the message in its JSON, else the text itself. */
const saidBy = (body: string, secrets: Endpoint["secrets"]): string => {
  try {
    const { error, message } = JSON.parse(body) ?? {}
    const said = typeof error === "string" ? error : (error?.message ?? message)
    if (typeof said === "string") return excerpt(said, secrets)
  } catch {
    // Not JSON: the text is shown as it is.
  }
  return excerpt(body, secrets)
}

/** The wait that a server asks for: `retry-after-ms`, or `retry-after` in seconds or as a date. */
export const parseRetryAfter = (
  headers: Readonly<Record<string, string | undefined>>,
  now: number,
): Duration.Duration | undefined => {
  const milliseconds = Number(headers["retry-after-ms"] ?? Number.NaN)
  if (milliseconds >= 0) return Duration.millis(milliseconds)
  const after = headers["retry-after"]
  if (after === undefined || after.trim() === "") return undefined
  const seconds = Number(after)
  if (seconds >= 0) return Duration.seconds(seconds)
  const date = Date.parse(after)
  return Number.isNaN(date) ? undefined : Duration.millis(Math.max(0, date - now))
}

/** Whether a status says that the same request may succeed later. */
const isTransient = (status: number) => status === 408 || status === 429 || status >= 500

/** Whether a refusal is for money or quota, which OpenAI tells with the status of a rate limit. */
const isQuotaSpent = (status: number, body: string) =>
  status === 402 || (status === 429 && /"insufficient_quota"/.test(body))

const reasonOf = (
  endpoint: Endpoint,
  { status, body }: { readonly status: number; readonly body: string },
  retryAfter?: Duration.Duration,
) => {
  const said = saidBy(body, endpoint.secrets)
  const answered = `${publicUrl(endpoint.url)} answered ${status}${said === "" ? "" : `: ${said}`}`
  if (status === 401 || status === 403) {
    return new AiError.AuthenticationError({
      kind: status === 401 ? "InvalidKey" : "InsufficientPermissions",
      description: `${answered}. ${endpoint.keyHint}`,
    })
  }
  if (isQuotaSpent(status, body)) return new QuotaSpent({ metadata: { said: answered } })
  if (status === 429) return new TooManyRequests(retryAfter ? { retryAfter } : {})
  if (isTransient(status)) {
    return new AiError.InternalProviderError({
      description: `${answered}. The server is at fault or overloaded: try again later`,
    })
  }
  const advice =
    status === 404
      ? "Check the model's name and the base URL (--model, --base-url)"
      : "Change the request: repeating it will not help"
  return new AiError.InvalidRequestError({ description: `${answered}. ${advice}` })
}

/** The problem with an answer whose status is not 2xx. */
export const statusProblem = (
  endpoint: Endpoint,
  answer: {
    readonly status: number
    readonly headers: Readonly<Record<string, string | undefined>>
    readonly body: string
  },
  now: number,
): HttpProblem => {
  const { status, body } = answer
  const retryAfter = parseRetryAfter(answer.headers, now)
  return new HttpProblem({
    reason: reasonOf(endpoint, answer, retryAfter),
    retryable: isTransient(status) && !isQuotaSpent(status, body),
    status,
    ...(retryAfter ? { retryAfter } : {}),
  })
}

/** The problem with a connection that could not be made, or was cut. */
export const connectionProblem = (endpoint: Endpoint, cause: unknown): HttpProblem => {
  const causes: Array<string> = []
  for (let error = cause; error instanceof Error && causes.length < 5; error = error.cause) {
    const { message } = error
    if (message !== "" && !causes.includes(message)) causes.push(message)
  }
  const url = publicUrl(endpoint.url)
  const said = excerpt(causes.at(-1) ?? "the connection was cut", endpoint.secrets)
  const description = `no whole answer from ${url} (${said}). Is the server running, and is the base URL right (--base-url)?`
  return new HttpProblem({ reason: networkReason(url, description), retryable: true })
}

const networkReason = (url: string, description: string) =>
  new NoAnswer({ reason: "TransportError", method: "POST", url, description })

/** The problem with a server that says nothing for too long. */
export const timeoutProblem = (
  endpoint: Endpoint,
  what: "answer" | "next part",
  after: Duration.Duration,
): HttpProblem => {
  const url = publicUrl(endpoint.url)
  const option = what === "answer" ? "timeout" : "stallTimeout"
  const description = `no ${what} within ${Duration.format(after)}. Allow more (the option ${option}), or use a smaller model`
  return new HttpProblem({ reason: networkReason(url, description), retryable: true })
}

/** The problem with an answer that is not what the API says it is. */
export const rubbishProblem = (endpoint: Endpoint, expected: string, found: string): HttpProblem =>
  new HttpProblem({
    reason: new AiError.InvalidResponseError({
      description: `${publicUrl(endpoint.url)} did not answer with ${expected} but with: ${excerpt(found, endpoint.secrets)}. Is the base URL that of such an API (--base-url)?`,
    }),
    retryable: false,
  })

/** The problem that a server tells inside an answer or a stream with status 200. */
export const toldProblem = (
  endpoint: Endpoint,
  told: { readonly message: string; readonly type: string },
): HttpProblem => {
  const said = excerpt(told.message === "" ? told.type : told.message, endpoint.secrets)
  const transient = /overload|rate_limit|server_error|api_error|timeout|unavailable/i.test(
    told.type,
  )
  return new HttpProblem({
    reason: transient
      ? new AiError.InternalProviderError({ description: `${said}. Try again later` })
      : new AiError.InvalidRequestError({ description: `the server says: ${said}` }),
    retryable: transient,
  })
}
