import { Effect, Predicate, Result, Schema } from "effect"

/** A file that does not hold the documents it is said to hold. */
export class TextFormatError extends Schema.TaggedError<TextFormatError>()("TextFormatError", {
  path: Schema.String,
  /** Counted from 1, where the file has lines or items. */
  line: Schema.optionalKey(Schema.Int),
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path}${this.line === undefined ? "" : `:${this.line}`}: ${this.detail}`
  }
}

/** A text without a letter in it. */
export class EmptyText extends Schema.TaggedError<EmptyText>()("EmptyText", {
  path: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path}: ${this.detail}`
  }
}

const parse = (text: string) =>
  Result.try({
    try: () => JSON.parse(text) as unknown,
    catch: (error) => (error instanceof Error ? error.message : String(error)),
  })

const pick = (
  path: string,
  line: number,
  value: unknown,
  field: string | undefined,
): Result.Result<string, TextFormatError> => {
  const fail = (detail: string, hint: string) =>
    Result.fail(new TextFormatError({ path, line, detail, hint }))
  if (typeof value === "string" && field === undefined) return Result.succeed(value)
  if (!Predicate.isObject(value) || Array.isArray(value)) {
    return fail(
      field === undefined ? "expected a text or an object" : `expected an object with "${field}"`,
      "give one document an item: a text, or an object and its field",
    )
  }
  const record = value as Readonly<Record<string, unknown>>
  const keys = Object.keys(record)
  const named = keys.length === 0 ? "it has no keys" : `its keys are: ${keys.join(", ")}`
  if (field === undefined && typeof record.text === "string") return Result.succeed(record.text)
  if (field === undefined) return fail("which field holds the text?", `give field: KEY; ${named}`)
  const found = record[field]
  if (found === undefined) return fail(`there is no field "${field}"`, named)
  return typeof found === "string"
    ? Result.succeed(found)
    : fail(`field "${field}" is not a text`, named)
}

/**
 * The documents of a file, by its ending: `.jsonl` and `.ndjson` hold one JSON value a line, `.json`
 * holds an array, any other file is one text, cut at `split` where that is given. An item is a text
 * or an object whose `field` is one; `text` where no field is named.
 */
export const readDocuments = (
  path: string,
  content: string,
  options: { readonly field?: string | undefined; readonly split?: string | undefined },
): Result.Result<ReadonlyArray<string>, TextFormatError> => {
  const text = content.startsWith("\ufeff") ? content.slice(1) : content
  const fail = (detail: string, hint: string, line?: number) =>
    Result.fail(
      new TextFormatError({ path, detail, hint, ...(line === undefined ? {} : { line }) }),
    )
  const isLines = /\.(jsonl|ndjson)$/i.test(path)
  if (!isLines && !/\.json$/i.test(path)) {
    return Result.succeed(
      options.split === undefined
        ? [text]
        : text.split(options.split).filter((document) => document.trim() !== ""),
    )
  }
  let items: ReadonlyArray<readonly [number, unknown]>
  if (isLines) {
    const parsed: Array<readonly [number, unknown]> = []
    for (const [index, line] of text.split("\n").entries()) {
      if (line.trim() === "") continue
      const value = parse(line)
      if (Result.isFailure(value)) {
        return fail(`not JSON: ${value.failure}`, "each line must be one JSON value", index + 1)
      }
      parsed.push([index + 1, value.success])
    }
    items = parsed
  } else {
    const value = parse(text)
    if (Result.isFailure(value)) return fail(`not JSON: ${value.failure}`, "mend the file")
    if (!Array.isArray(value.success)) {
      return fail("expected an array of documents", "give a JSON array, or .jsonl with one a line")
    }
    items = value.success.map((item: unknown, index) => [index + 1, item] as const)
  }
  const documents: Array<string> = []
  for (const [line, value] of items) {
    const document = pick(path, line, value, options.field)
    if (Result.isFailure(document)) return Result.fail(document.failure)
    documents.push(document.success)
  }
  return Result.succeed(documents)
}

/** The part of the documents that is asked for; empty text is an error. */
export const selectDocuments = (
  path: string,
  documents: ReadonlyArray<string>,
  options: { readonly skip: number; readonly take?: number | undefined },
): Effect.Effect<ReadonlyArray<string>, EmptyText> => {
  const end = options.take === undefined ? undefined : options.skip + options.take
  const selected = documents.slice(options.skip, end)
  if (selected.some((document) => document.trim() !== "")) return Effect.succeed(selected)
  const skipped = options.skip > 0 && documents.some((document) => document.trim() !== "")
  return Effect.fail(
    new EmptyText({
      path,
      detail: skipped
        ? `nothing is left of its ${documents.length} documents after skipping ${options.skip}`
        : "the text is empty",
      hint: skipped ? `skip fewer than ${documents.length}` : "give a file with text in it",
    }),
  )
}
