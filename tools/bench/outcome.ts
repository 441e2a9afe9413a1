import type { Contestant } from "./contestants.ts"
import type { EngineName } from "./engines.ts"
import type { Summary } from "./statistics.ts"

/** A contestant whose result was right, and its times in nanoseconds an iteration. */
export interface Measured {
  readonly state: "measured"
  readonly contestant: Contestant
  readonly versions: string
  readonly time: Summary
  /** 0 where it was not asked for. */
  readonly peakBytes: number
}

/** A contestant without a number: not installed, wrong (`red`), or broken. */
export interface Unmeasured {
  readonly state: "absent" | "red" | "failed"
  readonly contestant: Contestant
  readonly why: string
}

/** What became of one contestant in one case. */
export type Outcome = Measured | Unmeasured

/** The measured contestants of an engine whose numbers stand for it; or those with lent workers. */
export const measuredOf = (
  outcomes: ReadonlyArray<Outcome>,
  engine: EngineName,
  lent = false,
): ReadonlyArray<Measured> =>
  outcomes
    .filter((outcome) => outcome.state === "measured")
    .filter(({ contestant: { engine: own, hostOnly, lent: hasWorkers } }) => {
      return own === engine && hostOnly !== true && (hasWorkers === true) === lent
    })

/** The quickest of them. */
export const fastestOf = (measured: ReadonlyArray<Measured>): Measured | undefined =>
  measured.toSorted((a, b) => a.time.median - b.time.median)[0]
