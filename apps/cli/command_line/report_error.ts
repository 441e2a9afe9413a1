import { describeCause } from "@espalier/pipeline"
import { Cause, Effect } from "effect"
import { writeError } from "./terminal.ts"

const reportHint =
  "this is a bug in espalier, not a mistake of yours: please report it with the command you ran and what ESPALIER_DEBUG=1 adds"

/** Whether stacks are wanted. */
const debugging = () => (process.env.ESPALIER_DEBUG ?? "") !== ""

/**
 * The lines that tell an expected failure: what is wrong, and what to do. Every failure that a user
 * can cause has a hint; one without is ours.
 */
export const errorLines = (message: string, hint: string = reportHint): string => {
  const lines = message.split("\n")
  const hints = hint === "" ? [] : hint.split("\n")
  if (lines.length === hints.length) {
    // Several failures with one remedy are told it once, after the last of them.
    const remedy = (i: number) => (hints[i] === hints[i + 1] ? "" : `hint: ${hints[i]}\n`)
    return lines.map((line, i) => `error: ${line}\n${remedy(i)}`).join("")
  }
  const told = hints.map((line) => `hint: ${line}\n`).join("")
  return `error: ${lines.join("\n       ")}\n${told}`
}

/** Tells a defect in one line, with its stack only where it is asked for. */
export const reportDefect = (prefix: string, cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const defect = Cause.squash(cause)
  const line = defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect)
  const stack = debugging() ? `${Cause.pretty(cause)}\n` : ""
  return writeError(
    `${errorLines(`${prefix}unexpected ${line.split("\n")[0]}`, reportHint)}${stack}`,
  )
}

/** Tells a cause on standard error; an interruption is for whoever interrupted to tell. */
export const reportCause = (prefix: string, cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterrupts(cause)) return Effect.void
  if (!cause.reasons.some(Cause.isFailReason)) return reportDefect(prefix, cause)
  const { message, hint } = describeCause(cause)
  return writeError(errorLines(prefix + message, hint))
}
