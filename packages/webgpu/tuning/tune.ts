import { Progress } from "@espalier/runtime"
import type { CompileError, DeviceLost, OutOfMemory, UnsupportedDType } from "@espalier/tensor"
import { Ir } from "@espalier/tensor"
import { Clock, Effect } from "effect"
import type { Connection } from "../connection.ts"
import type { Context } from "../executable.ts"
import { compile } from "../executable.ts"
import { Pipelines } from "../pipelines.ts"
import type { Strategy } from "../templates/strategy.ts"
import type { Question } from "./candidates.ts"
import { questionsFor } from "./candidates.ts"

/** Milliseconds that one measurement should take at least, so that starting it does not count. */
const enough = 8
/** Measurements of each choice; the shortest counts. */
const repetitions = 3
/** A choice replaces the table's where it takes less than this part of its time. */
const convincing = 0.93

type Failure = CompileError | DeviceLost | OutOfMemory | UnsupportedDType

/** Milliseconds of one dispatch of a kernel under a strategy. */
const measure = (kernel: Ir.Kernel, strategy: Strategy, context: Context) =>
  Effect.gen(function* () {
    const { connection, memory } = context
    const pipelines = new Pipelines(connection, strategy)
    const own = { ...context, strategy, pipelines, poison: false }
    const buffers = yield* Effect.forEach(kernel.operands, ({ length }) =>
      Effect.acquireRelease(
        memory.allocate(4 * length, connection.device.limits.maxBufferSize),
        (buffer) => Effect.sync(() => memory.free(buffer)),
      ),
    )
    const [inputs, outputs] = (["read", "write"] as const).map((access) =>
      buffers.filter((_, i) => kernel.operands[i].access === access),
    )
    const timed = (count: number) =>
      Effect.gen(function* () {
        const repeats = [{ from: 0, to: 1, count }]
        const schedule = { ...Ir.scheduleOf(kernel, { repeats }), name: "tuning" }
        const executable = yield* compile(schedule, own)
        const once = Effect.andThen(executable.run(inputs, outputs), finished(connection))
        yield* once
        let best = Infinity
        for (let i = 0; i < repetitions; i++) {
          const start = yield* Clock.currentTimeNanos
          yield* once
          const end = yield* Clock.currentTimeNanos
          best = Math.min(best, Number(end - start) / 1e6)
        }
        return best / count
      })
    const rough = yield* timed(1)
    const count = Math.min(256, Math.ceil(enough / Math.max(rough, 0.01)))
    return count === 1 ? rough : yield* timed(count)
  }).pipe(Effect.scoped, Effect.provideService(Progress, { report: () => Effect.void }))

const finished = (connection: Connection): Effect.Effect<void, DeviceLost> =>
  connection.wait(() => connection.device.queue.onSubmittedWorkDone())

/** The fastest choice; one that does not compile, or takes too much, is out of the race. */
const answer = (
  question: Question,
  base: Strategy,
  context: Context,
): Effect.Effect<{ readonly choice: Partial<Strategy>; readonly gain: number }, Failure> =>
  Effect.gen(function* () {
    const { kernel, choices } = question
    const usual = yield* measure(kernel, { ...base, ...choices[0] }, context)
    let best = { choice: choices[0], time: usual * convincing, gain: 1 }
    for (const choice of choices.slice(1)) {
      const time = yield* measure(kernel, { ...base, ...choice }, context).pipe(
        Effect.catchTag(["CompileError", "OutOfMemory"], () => Effect.succeed(Infinity)),
      )
      if (time < best.time) best = { choice, time, gain: usual / time }
    }
    if (best.gain === 1) return best
    // Somebody else may have been using the machine: the race is run again by the first two.
    const again = yield* measure(kernel, { ...base, ...choices[0] }, context)
    const time = yield* measure(kernel, { ...base, ...best.choice }, context)
    return time < again * convincing ? best : { choice: choices[0], gain: 1 }
  })

/** Measures what suits an adapter; answers the fields that were asked about. */
export const tune = (
  base: Strategy,
  context: Context,
  questions: ReadonlyArray<Question> = questionsFor(base),
): Effect.Effect<Partial<Strategy>, Failure> =>
  Effect.gen(function* () {
    const task = `tuning ${context.connection.name}`
    const unit = "kinds of kernel"
    let found: Partial<Strategy> = {}
    yield* Progress.report({ task, completed: 0, total: questions.length, unit })
    for (const [i, question] of questions.entries()) {
      const { choice, gain } = yield* answer(question, { ...base, ...found }, context)
      found = { ...found, ...choice }
      const note = `${question.about}: ${gain.toFixed(1)} ×`
      yield* Progress.report({ task, completed: i + 1, total: questions.length, unit, note })
    }
    return found
  })
