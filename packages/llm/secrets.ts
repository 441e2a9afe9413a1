import { Redacted } from "effect"
import { Base64 } from "effect/encoding"

/** What stands where a secret stood. */
export const redactedText = "[redacted]"

// Shorter ones are place-holders that local servers ask for ("EMPTY", "ollama"); striking them out of
// every text would damage transcripts and hide nothing.
const shortestSecret = 8

// Keys that a text holds although they are not the configured one.
const keyShapes = [
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/-]{16,}=*/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\bgh[pousr]_[A-Za-z0-9]{20,}/g,
  /\bAIza[A-Za-z0-9_-]{30,}/g,
]

/** The texts under which a secret can appear: as it is, in a URL, in JSON within a text, in a header. */
const appearances = (secret: string): ReadonlyArray<string> => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  Base64.encode(secret),
]

/**
 * Strikes secrets out of a text: the given ones (of 8 characters or more) in every form in which they
 * travel, and whatever looks like an API key.
 *
 * @example
 * ```ts
 * import { scrubSecrets } from "@espalier/llm"
 * import { Redacted } from "effect"
 *
 * const key = Redacted.make("correct-horse-battery")
 * console.log(scrubSecrets("my key is correct-horse-battery", [key])) // my key is [redacted]
 * ```
 */
export const scrubSecrets = (text: string, secrets: ReadonlyArray<Redacted.Redacted>): string => {
  const known = secrets
    .map(Redacted.value)
    .filter((secret) => secret.length >= shortestSecret)
    .flatMap(appearances)
    // A secret that holds another is struck out first, or the rest of it would stay.
    .toSorted((left, right) => right.length - left.length)
  const without = known.reduce((kept, secret) => kept.replaceAll(secret, redactedText), text)
  return keyShapes.reduce((kept, shape) => kept.replaceAll(shape, redactedText), without)
}

/** The secrets that a URL may carry: name and password, and the values of its query. */
export const secretsOfUrl = (url: string): ReadonlyArray<Redacted.Redacted> => {
  if (!URL.canParse(url)) return []
  const { username, password, searchParams } = new URL(url)
  return [decodeURIComponent(username), decodeURIComponent(password), ...searchParams.values()]
    .filter((text) => text.length > 0)
    .map((text) => Redacted.make(text))
}

/** A URL that may be shown: without name, password and query. */
export const publicUrl = (url: string): string => {
  if (!URL.canParse(url)) return "(not a URL)"
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}
