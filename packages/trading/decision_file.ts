import { Result } from "effect"
import type { Direction } from "./action.ts"
import { isCalendarDate } from "./calendar_date.ts"
import { DecisionFileError } from "./errors.ts"
import { scanObject } from "./object_scanner.ts"

const format =
  'write { "YYYY-MM-DD": "buy" | "sell" | "hold" }, or lines of YYYY-MM-DD,buy (1, −1 and 0 will do)'

interface Entry {
  readonly date: string
  readonly action: unknown
  readonly line: number
}

interface Problem {
  readonly line: number
  readonly detail: string
}

const words: Readonly<Record<string, Direction>> = {
  buy: 1,
  sell: -1,
  hold: 0,
  "1": 1,
  "+1": 1,
  "-1": -1,
  "−1": -1,
  "0": 0,
}

const readDirection = (action: unknown): Direction | undefined => {
  if (typeof action === "number")
    return action === 1 || action === -1 || action === 0 ? action : undefined
  return typeof action === "string" ? words[action.trim().toLowerCase()] : undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parse = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

const entryOf = (value: unknown, line: number): Entry | Problem => {
  if (!isObject(value) || typeof value.date !== "string") {
    return { line, detail: 'expected { "date": …, "action": … }' }
  }
  return { date: value.date, action: value.action ?? value.decision ?? value.position, line }
}

/** A list of `{ date, action }`, as `espalier trade test` writes it too. */
const fromList = (list: ReadonlyArray<unknown>, line: number) =>
  list.map((value) => entryOf(value, line))

const fromObject = (text: string): ReadonlyArray<Entry | Problem> => {
  const scanned = scanObject(text)
  if ("problem" in scanned) return [scanned.problem]
  const list = scanned.members.find(({ key }) => key === "decisions")
  if (list !== undefined) {
    const value = parse(list.text)?.value
    return Array.isArray(value)
      ? fromList(value, list.line)
      : [{ line: list.line, detail: "decisions is no list" }]
  }
  return scanned.members.map(({ key, text, line }) => {
    const read = parse(text)
    if (read === undefined) return { line, detail: `no JSON: ${text.slice(0, 40)}` }
    return isObject(read.value)
      ? entryOf({ ...read.value, date: key }, line)
      : { date: key, action: read.value, line }
  })
}

const fromLine = (written: string, line: number): Entry | Problem => {
  if (written.startsWith("{")) {
    const read = parse(written)
    return read === undefined ? { line, detail: "no JSON" } : entryOf(read.value, line)
  }
  const [date, action, ...more] = written.split(/\s*[,;\t]\s*|\s+/)
  return action === undefined || more.some((word) => word !== "")
    ? { line, detail: "expected a date and an action" }
    : { date, action, line }
}

const fromLines = (text: string): ReadonlyArray<Entry | Problem> =>
  text.split(/\r?\n/).flatMap((written, i) => {
    const trimmed = written.trim()
    const isHeading = i === 0 && /^date\b/i.test(trimmed)
    return trimmed === "" || isHeading ? [] : [fromLine(trimmed, i + 1)]
  })

const read = (text: string): ReadonlyArray<Entry | Problem> => {
  const trimmed = text.trimStart()
  if (trimmed.startsWith("[")) {
    const value = parse(trimmed)?.value
    return Array.isArray(value) ? fromList(value, 1) : [{ line: 1, detail: "no JSON" }]
  }
  if (!trimmed.startsWith("{")) return fromLines(text)
  // One object over all lines, or one a line.
  const first = trimmed.slice(0, trimmed.search(/\r?\n|$/))
  const perLine = parse(first)
  return isObject(perLine?.value) && "date" in perLine.value ? fromLines(text) : fromObject(text)
}

/**
 * Reads decisions: a JSON object `{ "YYYY-MM-DD": "buy" }`, a list or lines of `{ "date", "action" }`, the
 * document that `espalier trade test` writes, or lines of date and action apart by commas or spaces, with or
 * without a heading. Actions are buy, sell and hold in any case, or 1, −1 and 0.
 *
 * `isKnown` says whether the prices have a date: one that they have not is an error, and so is a date that
 * stands twice.
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import { parseDecisions } from "@espalier/trading"
 *
 * const decisions = parseDecisions(`2023-01-01,buy\n2023-01-02,-1\n`, "mine.csv")
 * console.log([...Result.getOrThrow(decisions)]) // [ [ '2023-01-01', 1 ], [ '2023-01-02', -1 ] ]
 * ```
 */
export const parseDecisions = (
  text: string,
  path: string,
  isKnown: (date: string) => boolean = () => true,
): Result.Result<ReadonlyMap<string, Direction>, DecisionFileError> => {
  const decisions = new Map<string, Direction>()
  const fail = (problem: Problem & { readonly date?: string }, hint = format) =>
    Result.fail(new DecisionFileError({ path, ...problem, hint }))
  for (const entry of read(text.replace(/^\ufeff/, ""))) {
    if ("detail" in entry) return fail(entry)
    const { date, action, line } = entry
    if (!isCalendarDate(date)) {
      return fail({ line, detail: `${JSON.stringify(date)} is no day of the calendar` })
    }
    const direction = readDirection(action)
    if (direction === undefined) {
      const found = action === undefined ? "no action" : JSON.stringify(action)
      return fail({ line, date, detail: `expected buy, sell or hold, found ${found}` })
    }
    if (decisions.has(date)) {
      return fail({ line, date, detail: "the date stands twice" }, "keep one decision a day")
    }
    if (!isKnown(date)) {
      return fail(
        { line, date, detail: "the prices have no such date" },
        "decide on dates of the price file only",
      )
    }
    decisions.set(date, direction)
  }
  return decisions.size === 0
    ? fail({ line: 1, detail: "there are no decisions" })
    : Result.succeed(decisions)
}
