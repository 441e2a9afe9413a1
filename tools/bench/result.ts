import type { Case } from "./case.ts"
import type { DeviceName } from "./contestants.ts"
import type { Machine } from "./machine.ts"
import type { Outcome } from "./outcome.ts"
import type { Verdict } from "./targets.ts"

/** One case after it was measured. */
export interface CaseResult {
  readonly case: Case
  readonly outcomes: ReadonlyArray<Outcome>
  /** None where the sizes are not those that the targets are about. */
  readonly verdicts: ReadonlyArray<Verdict>
}

/** A whole run of the bench. */
export interface BenchResult {
  readonly device: DeviceName
  readonly quick: boolean
  readonly machine: Machine
  readonly cases: ReadonlyArray<CaseResult>
}

/** The cases in which our own engine gave a wrong result or none. */
export const ownFailures = (cases: ReadonlyArray<CaseResult>): ReadonlyArray<string> =>
  cases.flatMap(({ case: { name }, outcomes }) =>
    outcomes.some(({ state, contestant }) => contestant.engine === "ours" && state !== "measured")
      ? [name]
      : [],
  )

/** What a file of results holds. */
export const toJson = ({ device, quick, machine, cases }: BenchResult): string => {
  const rows = cases.map(({ case: { name, title, work, tolerance }, outcomes, verdicts }) => ({
    name,
    title,
    work,
    tolerance,
    outcomes,
    verdicts,
  }))
  return `${JSON.stringify({ device, quick, machine, cases: rows }, undefined, 2)}\n`
}
