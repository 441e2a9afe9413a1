/**
 * What a tokenizer file asks for and the reader cannot do. Thrown inside the reader and turned into a
 * `TokenizerFormatError` at its door.
 */
export class TokenizerProblem extends Error {
  readonly expected: string
  readonly found: string
  readonly hint: string

  constructor(expected: string, found: string, hint: string) {
    super(`expected ${expected}, found ${found}`)
    this.expected = expected
    this.found = found
    this.hint = hint
  }
}

/** An object of a JSON file. */
export type JsonRecord = Readonly<Record<string, unknown>>

/** A value in a few characters. */
export const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

const damaged = "The file is damaged, or of another kind."

export const isRecord = (value: unknown): value is JsonRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The value as an object; `where` is its name in the file. */
export const readRecord = (value: unknown, where: string): JsonRecord => {
  if (isRecord(value)) return value
  throw new TokenizerProblem(`${where} to be an object`, show(value), damaged)
}

export const readArray = (value: unknown, where: string): ReadonlyArray<unknown> => {
  if (Array.isArray(value)) return value
  throw new TokenizerProblem(`${where} to be an array`, show(value), damaged)
}

export const readString = (value: unknown, where: string): string => {
  if (typeof value === "string") return value
  throw new TokenizerProblem(`${where} to be a text`, show(value), damaged)
}

/** A flag that may be absent or null. */
export const readFlag = (value: unknown, where: string, absent: boolean): boolean => {
  if (value === undefined || value === null) return absent
  if (typeof value === "boolean") return value
  throw new TokenizerProblem(`${where} to be true or false`, show(value), damaged)
}

/** Token numbers must leave room for a pair of them in a number. */
const tokenLimit = 2 ** 26

export const readToken = (value: unknown, where: string): number => {
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) < tokenLimit) {
    return Number(value)
  }
  throw new TokenizerProblem(`${where} to be a token number`, show(value), damaged)
}

/** The problem of a part that exists and is not supported. */
export const unsupported = (
  where: string,
  found: string,
  known: ReadonlyArray<string>,
): TokenizerProblem =>
  new TokenizerProblem(
    `a supported ${where} (${known.join(", ")})`,
    found,
    "Tokenizers with this part cannot be read; byte-pair encoding as of GPT-2, LLaMA or Qwen can.",
  )
