import { Cause } from "effect"
import type { StepFailure } from "./run_record.ts"

/** Some messages end with the hint, so that they are complete by themselves; here the two are apart. */
const withoutHint = (message: string, hint: string | undefined): string =>
  hint !== undefined && hint !== "" && message.endsWith(hint)
    ? message.slice(0, -hint.length).replace(/[\s.]+$/, "")
    : message

/** What is told of a cause that ended a step. */
export const describeCause = (cause: Cause.Cause<unknown>): StepFailure => {
  const failure = cause.reasons.find(Cause.isFailReason)?.error
  if (failure !== undefined) {
    const { _tag, message, hint } = failure as Partial<Record<string, unknown>>
    const tag = typeof _tag === "string" ? _tag : "Error"
    const told = typeof hint === "string" ? hint : undefined
    return {
      tag,
      message: typeof message === "string" && message !== "" ? withoutHint(message, told) : tag,
      ...(told === undefined ? {} : { hint: told }),
    }
  }
  const defect = Cause.squash(cause)
  const message = defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect)
  return { tag: "Defect", message: message.split("\n")[0] }
}
