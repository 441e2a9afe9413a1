import { Result, Schema } from "effect"

/** A file of questions that does not hold what it should. */
export class ZeroShotFormatError extends Schema.TaggedError<ZeroShotFormatError>()(
  "ZeroShotFormatError",
  {
    path: Schema.String,
    /** Counted from 1. */
    line: Schema.Int,
    expected: Schema.String,
    found: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `${this.path}:${this.line}: expected ${this.expected}, found ${this.found}`
  }
}

/** What a model is asked: how likely `continuation` is after `context`. */
export interface LikelihoodRequest {
  readonly context: string
  readonly continuation: string
}

/** One question. */
export interface ZeroShotItem {
  /** One request for each choice; a single one where the continuation has to be found greedily. */
  readonly requests: ReadonlyArray<LikelihoodRequest>
  /** The right choice; absent where there is nothing to choose. */
  readonly gold?: number
  /** Unicode characters of each choice, where choices are also compared per character. */
  readonly characters?: ReadonlyArray<number>
}

const Text = Schema.String.check(Schema.isPattern(/\S/u))
const Texts = Schema.Array(Text).check(Schema.isMinLength(2))
const Gold = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const goldIsThere = (choices: ReadonlyArray<string>, gold: number) =>
  gold < choices.length || `gold ${gold} must be one of the ${choices.length} choices`

const Choices = Schema.Struct({ query: Text, choices: Texts, gold: Gold }).check(
  Schema.makeFilter(({ choices, gold }) => goldIsThere(choices, gold)),
)
const Contexts = Schema.Struct({ context_options: Texts, continuation: Text, gold: Gold }).check(
  Schema.makeFilter(({ context_options, gold }) => goldIsThere(context_options, gold)),
)
const LastWord = Schema.Struct({ context: Text, continuation: Text })

/** How the lines of a file are read. */
export type LineKind = "choices" | "contexts" | "last word"

const shapes: Readonly<Record<LineKind, string>> = {
  choices: '{"query": text, "choices": [text, …], "gold": index}',
  contexts: '{"context_options": [text, …], "continuation": text, "gold": index}',
  "last word": '{"context": text, "continuation": text}',
}

const decoders = {
  choices: Schema.decodeUnknownResult(Choices),
  contexts: Schema.decodeUnknownResult(Contexts),
  "last word": Schema.decodeUnknownResult(LastWord),
}

/** A continuation stands one space behind its context. */
const after = (context: string, continuation: string): LikelihoodRequest => ({
  context,
  continuation: ` ${continuation}`,
})

const readItem = (
  kind: LineKind,
  value: unknown,
  prompt: (query: string) => string,
): Result.Result<ZeroShotItem, Schema.SchemaError> => {
  switch (kind) {
    case "choices":
      return Result.map(decoders.choices(value), ({ query, choices, gold }) => ({
        requests: choices.map((choice) => after(prompt(query), choice)),
        gold,
        characters: choices.map((choice) => Array.from(choice).length),
      }))
    case "contexts":
      return Result.map(decoders.contexts(value), ({ context_options, continuation, gold }) => ({
        requests: context_options.map((context) => after(context, continuation)),
        gold,
      }))
    case "last word":
      return Result.map(decoders["last word"](value), ({ context, continuation }) => ({
        requests: [after(context, continuation)],
      }))
  }
}

const parse = (line: string) =>
  Result.try({
    try: () => JSON.parse(line) as unknown,
    catch: (error) => (error instanceof Error ? error.message : String(error)),
  })

/**
 * The questions of JSON lines. `prompt` makes the context of a query. Fails with
 * {@link ZeroShotFormatError}, which names the line.
 */
export const readItems = (
  path: string,
  text: string,
  kind: LineKind,
  prompt: (query: string) => string,
): Result.Result<ReadonlyArray<ZeroShotItem>, ZeroShotFormatError> => {
  const fail = (line: number, found: string) =>
    Result.fail(
      new ZeroShotFormatError({
        path,
        line,
        expected: shapes[kind],
        found: found.replaceAll(/\s+/g, " "),
        hint: "Is this the file of another task, or was it cut off?",
      }),
    )
  const items: Array<ZeroShotItem> = []
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const value = parse(line)
    if (Result.isFailure(value)) return fail(i + 1, `no JSON: ${value.failure}`)
    const item = readItem(kind, value.success, prompt)
    if (Result.isFailure(item)) return fail(i + 1, item.failure.message)
    items.push(item.success)
  }
  return items.length === 0 ? fail(1, "no questions") : Result.succeed(items)
}

/** A question with its right answer, as an example for the next one. */
const solved = ({ requests, gold = 0 }: ZeroShotItem): string =>
  `${requests[gold].context}${requests[gold].continuation}\n\n`

/**
 * Puts the first `shots` questions, solved, before each of the others, and leaves them out themselves.
 *
 * Source: `first_n` sampling of lm-evaluation-harness, with its delimiter of a blank line.
 *
 * @example
 * ```ts
 * const items = [
 *   { requests: [{ context: "1 + 1 =", continuation: " 2" }] },
 *   { requests: [{ context: "1 + 2 =", continuation: " 3" }] },
 * ]
 * withShots(items, 1)[0].requests[0].context // "1 + 1 = 2\n\n1 + 2 ="
 * ```
 */
export const withShots = (
  items: ReadonlyArray<ZeroShotItem>,
  shots: number,
): ReadonlyArray<ZeroShotItem> => {
  const examples = items.slice(0, shots).map(solved).join("")
  return items.slice(shots).map((item) => ({
    ...item,
    requests: item.requests.map((request) => ({
      ...request,
      context: examples + request.context,
    })),
  }))
}
