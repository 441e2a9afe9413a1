import type { Case } from "./case.ts"
import type { Command } from "./child.ts"
import { Child } from "./child.ts"
import type { Contestant } from "./contestants.ts"
import type { Fingerprint } from "./fingerprint.ts"
import { disagreement, fingerprintOf } from "./fingerprint.ts"
import type { Outcome } from "./outcome.ts"
import type { Given, Reply } from "./protocol.ts"
import { summarize } from "./statistics.ts"

/** How long each contestant is listened to. */
export interface Pace {
  readonly rounds: number
  /** Iterations of a round take about this long. */
  readonly roundMilliseconds: number
  /** Work before the first round: engines compile their loops while they run. */
  readonly warmUpMilliseconds: number
  /** Fewer rounds than `rounds` where those of one contestant would take longer. */
  readonly mostMilliseconds: number
}

export const fullPace: Pace = {
  rounds: 15,
  roundMilliseconds: 120,
  warmUpMilliseconds: 400,
  mostMilliseconds: 15_000,
}

export const quickPace: Pace = {
  rounds: 3,
  roundMilliseconds: 10,
  warmUpMilliseconds: 10,
  mostMilliseconds: 2000,
}

/** How many rounds there is time for, at least three. */
export const roundsFor = (pace: Pace, nanoseconds: number): number => {
  const { rounds, roundMilliseconds, mostMilliseconds } = pace
  const round = Math.max(roundMilliseconds, nanoseconds / 1e6)
  return Math.max(3, Math.min(rounds, Math.floor(mostMilliseconds / round)))
}

/** A measurement under way. */
interface Runner {
  readonly contestant: Contestant
  readonly command: Command
  readonly child: Child
  readonly versions: string
  readonly iterations: number
  readonly rounds: number
  readonly times: Array<number>
}

type Unready = Exclude<Outcome, { readonly state: "measured" }>

const unmeasured = (contestant: Contestant, reply: Reply): Unready =>
  reply.say === "absent" || reply.say === "failed"
    ? { state: reply.say, contestant, why: reply.why }
    : { state: "failed", contestant, why: `answered "${reply.say}" to another question` }

const givenTo = ({ implementations }: Case, { engine }: Contestant): Given =>
  (engine === "torch" && implementations.torch) ||
  (engine === "llama2c" && implementations.llama2c) ||
  {}

/** Everything that stays the same while one case is measured. */
export interface Setting {
  readonly pace: Pace
  readonly quick: boolean
  /** How to start a contestant, or why it cannot be started. */
  readonly commandOf: (contestant: Contestant) => Command | { readonly why: string }
}

const prepare = (
  child: Child,
  each: Case,
  contestant: Contestant,
  quick: boolean,
  check: boolean,
) => child.ask({ say: "prepare", name: each.name, quick, check, given: givenTo(each, contestant) })

/** Iterations until `milliseconds` are over; the time of the last. */
const warmUp = async (child: Child, milliseconds: number): Promise<Reply> => {
  let iterations = 1
  let spent = 0
  for (;;) {
    const reply = await child.ask({ say: "time", iterations })
    if (reply.say !== "timed") return reply
    const took = (reply.nanoseconds * iterations) / 1e6
    spent += took
    if (spent >= milliseconds) return reply
    iterations = Math.min(
      iterations * 4,
      Math.ceil((milliseconds - spent) / (took / iterations)) + 1,
    )
  }
}

/** Starts a contestant, checks its result and warms it up. */
const start = async (
  each: Case,
  contestant: Contestant,
  expected: Fingerprint,
  { pace, quick, commandOf }: Setting,
): Promise<Runner | Unready> => {
  const command = commandOf(contestant)
  if ("why" in command) return { state: "absent", contestant, why: command.why }
  const child = new Child(command)
  const giveUp = async (outcome: Unready) => {
    await child.stop()
    return outcome
  }
  const reply = await prepare(child, each, contestant, quick, true)
  if (reply.say !== "prepared") return giveUp(unmeasured(contestant, reply))
  const { versions, result } = reply
  const why =
    result === undefined ? "gave no result" : disagreement(result, expected, each.tolerance)
  if (why !== undefined) return giveUp({ state: "red", contestant, why })
  const runner = { contestant, command, child, versions, times: [] }
  if (each.cold === true) {
    await child.stop()
    return { ...runner, iterations: 1, rounds: Math.ceil(pace.rounds / 2) }
  }
  const warm = await warmUp(child, pace.warmUpMilliseconds)
  if (warm.say !== "timed") return giveUp(unmeasured(contestant, warm))
  const iterations = Math.max(1, Math.round((pace.roundMilliseconds * 1e6) / warm.nanoseconds))
  return { ...runner, iterations, rounds: roundsFor(pace, warm.nanoseconds) }
}

/** One round of one contestant; in a process of its own where the case is about cold starts. */
const round = async (each: Case, runner: Runner, quick: boolean): Promise<Reply> => {
  if (each.cold !== true) return runner.child.ask({ say: "time", iterations: runner.iterations })
  const child = new Child(runner.command)
  const reply = await prepare(child, each, runner.contestant, quick, false)
  const timed = reply.say === "prepared" ? await child.ask({ say: "time", iterations: 1 }) : reply
  await child.stop()
  return timed
}

const finish = async (each: Case, runner: Runner): Promise<Outcome> => {
  const { contestant, child, versions, times } = runner
  const memory = each.cold === true ? undefined : await child.ask({ say: "memory" })
  await child.stop()
  const peakBytes = memory?.say === "memory" ? memory.peakBytes : 0
  return { state: "measured", contestant, versions, time: summarize(times), peakBytes }
}

/**
 * Measures the contestants of a case in turns: every process is started and its result checked
 * first, then they go round by round in a rotating order, one at a time.
 */
export const measure = async (
  each: Case,
  contestants: ReadonlyArray<Contestant>,
  setting: Setting,
): Promise<ReadonlyArray<Outcome>> => {
  const expected = fingerprintOf(await each.reference())
  const outcomes = new Map<Contestant, Outcome>()
  let runners: Array<Runner> = []
  for (const contestant of contestants) {
    const started = await start(each, contestant, expected, setting)
    if ("state" in started) outcomes.set(contestant, started)
    else runners.push(started)
  }
  const rounds = Math.max(0, ...runners.map((runner) => runner.rounds))
  for (let i = 0; i < rounds; i++) {
    const order = [...runners.slice(i % runners.length), ...runners.slice(0, i % runners.length)]
    for (const runner of order) {
      if (i >= runner.rounds) continue
      const reply = await round(each, runner, setting.quick)
      if (reply.say === "timed") {
        runner.times.push(reply.nanoseconds)
        continue
      }
      outcomes.set(runner.contestant, unmeasured(runner.contestant, reply))
      runners = runners.filter((other) => other !== runner)
      await runner.child.stop()
    }
  }
  for (const runner of runners) outcomes.set(runner.contestant, await finish(each, runner))
  return contestants.map((contestant) => outcomes.get(contestant)!)
}
