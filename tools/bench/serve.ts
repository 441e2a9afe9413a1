import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { setTimeout } from "node:timers/promises"
import { fingerprintOf } from "./fingerprint.ts"
import type { Given, Reply, Request, Subject } from "./protocol.ts"
import { Absent } from "./protocol.ts"

/** What a contestant brings: its versions, and a subject for a case. */
export interface Engine {
  readonly versions: () => string
  readonly prepare: (name: string, quick: boolean, given: Given) => Promise<Subject>
  /** Where the work is done in another process. */
  readonly peakBytes?: () => number
}

/** Threads of every engine are asleep after this time, and do not disturb who comes next. */
const calmMilliseconds = 60

/** Most memory that a process held, in bytes; this one by default. */
export const peakBytes = (processId?: number): number => {
  try {
    // Unlike `ru_maxrss`, it does not begin with the size of the process that started this one.
    const line = /VmHWM:\s*(\d+) kB/.exec(
      readFileSync(`/proc/${processId ?? "self"}/status`, "utf8"),
    )
    if (line !== null) return Number(line[1]) * 1024
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)

/** Answers requests on standard input until it ends. */
export const serve = async (makeEngine: () => Promise<Engine>): Promise<void> => {
  // Libraries greet on standard output; that belongs to the protocol.
  console.log = console.info = console.debug = console.error
  const reply = (message: Reply) => process.stdout.write(`${JSON.stringify(message)}\n`)
  let engine: Engine | undefined
  let subject: Subject | undefined

  const answer = async (request: Request): Promise<Reply> => {
    if (request.say === "memory") {
      return { say: "memory", peakBytes: (engine?.peakBytes ?? peakBytes)() }
    }
    if (request.say === "prepare") {
      engine = await makeEngine()
      subject = await engine.prepare(request.name, request.quick, request.given)
      const versions = engine.versions()
      if (!request.check) return { say: "prepared", versions }
      return { say: "prepared", versions, result: fingerprintOf(await subject.values()) }
    }
    if (subject === undefined) return { say: "failed", why: "asked to time before it was prepared" }
    const start = process.hrtime.bigint()
    await subject.iterate(request.iterations)
    const nanoseconds = Number(process.hrtime.bigint() - start) / request.iterations
    await setTimeout(calmMilliseconds)
    return { say: "timed", nanoseconds }
  }

  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as Request
    try {
      reply(await answer(request))
    } catch (error) {
      reply({ say: error instanceof Absent ? "absent" : "failed", why: messageOf(error) })
    }
  }
  process.exit(0)
}
