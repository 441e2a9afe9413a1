import type { EngineName } from "./engines.ts"
import { engineTitles } from "./engines.ts"
import type { Measured, Outcome } from "./outcome.ts"
import { fastestOf, measuredOf } from "./outcome.ts"

/** What a case has to reach. Of each engine the better number of threads counts. */
export type Target =
  /** Their time over ours. */
  | {
      readonly kind: "speed"
      readonly than: EngineName
      readonly atLeast: number
      readonly aim?: number
    }
  /** Our time over theirs. */
  | { readonly kind: "relativeTime"; readonly than: EngineName; readonly atMost: number }
  /** Work a second. */
  | { readonly kind: "rate"; readonly atLeast: number; readonly aim?: number }
  /** Milliseconds an iteration. */
  | { readonly kind: "time"; readonly atMost: number }
  /** Our peak memory over theirs. */
  | { readonly kind: "memory"; readonly than: EngineName; readonly atMost: number }

/** The targets that a GPU has: on the same card. Memory here is that of the host. */
export const gpuTargets = (targets: ReadonlyArray<Target>): ReadonlyArray<Target> =>
  targets.filter(
    (target) =>
      "than" in target &&
      (target.than === "torch" || target.than === "plain") &&
      target.kind !== "memory",
  )

/** What became of one target. */
export interface Verdict {
  readonly target: string
  readonly measured: string
  /** Undefined where one side was not measured. */
  readonly met: boolean | undefined
  /** How much more was reached than asked for: 1 is just enough. */
  readonly margin?: number
}

const say = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(2)

/** What a target asks for, in words. */
export const sayTarget = (target: Target): string => {
  switch (target.kind) {
    case "speed": {
      const aim = target.aim === undefined ? "" : `, aim at ${say(target.aim)} ×`
      return `speed ≥ ${say(target.atLeast)} × that of ${engineTitles[target.than]}${aim}`
    }
    case "relativeTime":
      return `time ≤ ${say(target.atMost)} × that of ${engineTitles[target.than]}`
    case "rate": {
      const aim = target.aim === undefined ? "" : `, aim at ${say(target.aim)}`
      return `≥ ${say(target.atLeast)} a second${aim}`
    }
    case "time":
      return `≤ ${say(target.atMost)} ms`
    case "memory":
      return `peak memory ≤ ${say(target.atMost)} × that of ${engineTitles[target.than]}`
  }
}

const verdict = (target: Target, margin: number, measured: string): Verdict => ({
  target: sayTarget(target),
  measured,
  met: margin >= 1,
  margin,
})

const leastMemory = (measured: ReadonlyArray<Measured>): number =>
  Math.min(...measured.map(({ peakBytes }) => peakBytes))

const bestRound = (measured: ReadonlyArray<Measured>): number =>
  Math.min(...measured.map(({ time }) => time.minimum))

/** Compares what was measured in a case with one of its targets. `amount` is the work an iteration. */
export const judge = (target: Target, outcomes: ReadonlyArray<Outcome>, amount = 1): Verdict => {
  const unknown = (engine: EngineName): Verdict => ({
    target: sayTarget(target),
    measured: `${engineTitles[engine]} was not measured`,
    met: undefined,
  })
  const own = measuredOf(outcomes, "ours")
  const ours = fastestOf(own)
  if (ours === undefined) return unknown("ours")
  const { median } = ours.time
  if (target.kind === "rate") {
    const rate = (amount * 1e9) / median
    return verdict(target, rate / target.atLeast, `${say(rate)} a second`)
  }
  if (target.kind === "time") {
    const milliseconds = median / 1e6
    return verdict(target, target.atMost / milliseconds, `${say(milliseconds)} ms`)
  }
  const others = measuredOf(outcomes, target.than)
  const theirs = fastestOf(others)
  if (theirs === undefined) return unknown(target.than)
  if (target.kind === "memory") {
    const ratio = leastMemory(own) / leastMemory(others)
    return verdict(target, target.atMost / ratio, `memory ${say(ratio)} ×`)
  }
  const lent = fastestOf(measuredOf(outcomes, target.than, true))
  const isTime = target.kind === "relativeTime"
  /** Theirs over ours where more is better, ours over theirs where less is. */
  const ratioOf = (time: number, own: number) => (isTime ? own / time : time / own)
  const also = [
    `${say(ratioOf(bestRound(others), bestRound(own)))} × of the best rounds`,
    ...(lent === undefined
      ? []
      : [`${say(ratioOf(lent.time.median, median))} × with workers lent to it`]),
  ]
  const ratio = ratioOf(theirs.time.median, median)
  const margin = isTime ? target.atMost / ratio : ratio / target.atLeast
  const what = isTime ? "time" : "speed"
  return verdict(target, margin, `${what} ${say(ratio)} × (${also.join(", ")})`)
}
