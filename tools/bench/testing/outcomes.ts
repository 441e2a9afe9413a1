import type { Contestant } from "../contestants.ts"
import type { Measured } from "../outcome.ts"
import { summarize } from "../statistics.ts"

/** A contestant that was measured with these milliseconds. */
export const measured = (
  contestant: Omit<Contestant, "threads" | "title">,
  milliseconds: ReadonlyArray<number>,
  peakBytes = 2 ** 20,
): Measured => ({
  state: "measured",
  contestant: { threads: 1, title: contestant.engine, ...contestant },
  versions: `${contestant.engine} 1.0`,
  time: summarize(milliseconds.map((value) => value * 1e6)),
  peakBytes,
})
