import { Cause, Clock, Effect, Exit } from "effect"
import { describeCause } from "./describe_cause.ts"
import { Executor, type StepJob } from "./executor.ts"
import { rememberMadeFrom } from "./explain_miss.ts"
import { jobValues, makeInputReader } from "./input_reader.ts"
import { inspectStep } from "./inspect_step.ts"
import { makeMemoryWatch } from "./memory_watch.ts"
import type { PipelineStep } from "./pipeline.ts"
import type { StepRecord } from "./run_record.ts"
import { nothingDone, type RunState } from "./run_state.ts"
import { Store } from "./store.ts"

type Reason = Pick<StepJob<unknown>, "key" | "made" | "notices">

/** Why a step is not begun, if it is not. */
const whyNot = <R>(state: RunState<R>, { needs }: PipelineStep<R>): string | undefined => {
  const missing = needs.filter((needed) => !state.results.has(needed))
  if (missing.length > 0) return `needs ${missing.join(" and ")}`
  if (state.keepGoing) return undefined
  const failed = [...state.records].find(([, { status }]) => status === "failed")
  return failed && `${failed[0]} failed`
}

/** Gives what does the steps of one run: each is told, taken from the store or computed, and recorded. */
export const makeStepRunner = <R>(state: RunState<R>) => {
  const { pipeline, steps, code, fileHashes, anew, out, emit, records, provenance, results } = state
  const known = { code, fileHashes, results }
  const total = steps.length
  const reader = makeInputReader(steps)
  const watchMemory = makeMemoryWatch()

  const tell = (id: string, message: string) => emit({ _tag: "StepNotice", id, message })

  const execute = Effect.fnUntraced(function* (planned: PipelineStep<R>, why: Reason) {
    const executor = yield* Executor
    const values = jobValues(planned, results)
    const inputs = reader.read(planned, values)
    const job = { planned, ...why, seed: pipeline.seed, values, fileHashes, inputs, emit }
    const entry = yield* executor.execute(job)
    yield* rememberMadeFrom(pipeline.name, planned.id, why.made, code)
    return entry
  })

  /** Makes again what a step needs and the store has no longer whole; says whether there was any. */
  const mendNeeds = Effect.fnUntraced(function* ({ needs }: PipelineStep<R>) {
    let mended = false
    for (const planned of steps.filter(({ id }) => needs.includes(id))) {
      const { id } = planned
      const { key, made, entry, damage } = yield* inspectStep(pipeline, planned, known)
      if (entry !== undefined) continue
      const notice = `its result was damaged after it was there (${damage ?? "it is gone"}) and is computed anew`
      yield* tell(id, notice)
      results.set(id, yield* executeSoundly(planned, { key, made, notices: [notice] }))
      mended = true
    }
    return mended
  })

  /** Does a step; where the store lost what it takes since that was made, once more. */
  const executeSoundly = (planned: PipelineStep<R>, why: Reason): ReturnType<typeof execute> =>
    Effect.catchIf(
      execute(planned, why),
      ({ _tag }) => _tag === "StoreError",
      (error) =>
        Effect.flatMap(mendNeeds(planned), (mended) =>
          mended ? execute(planned, why) : Effect.fail(error),
        ),
    )

  const compute = Effect.fnUntraced(function* (planned: PipelineStep<R>, index: number) {
    const { id, step } = planned
    const found = yield* inspectStep(pipeline, planned, known)
    const { key, made } = found
    const isAnew = found.entry !== undefined && anew.has(id)
    const reasons = isAnew ? ["asked for anew"] : found.reasons
    provenance.set(id, { key, made, reasons, entry: found.entry })
    if (found.entry !== undefined && !isAnew) {
      yield* (yield* Store).share(found.entry)
      yield* rememberMadeFrom(pipeline.name, id, made, code)
      return { entry: found.entry, cached: true, peakMemory: undefined }
    }
    yield* emit({ _tag: "StepStarted", id, use: step.use, index, steps: total, reasons })
    const notices =
      found.damage === undefined
        ? []
        : [`the cached result was damaged (${found.damage}) and is computed anew`]
    for (const message of notices) yield* tell(id, message)
    const [entry, peakMemory] = yield* watchMemory(executeSoundly(planned, { key, made, notices }))
    provenance.set(id, { key, made, reasons, entry })
    return { entry, cached: false, peakMemory }
  })

  return Effect.fnUntraced(function* (planned: PipelineStep<R>, index: number) {
    const { id, step } = planned
    const began = yield* Clock.currentTimeMillis
    const settle = (ended: Omit<StepRecord, "use">, cause?: Cause.Cause<unknown>) => {
      const record = { use: step.use, ...ended }
      records.set(id, record)
      reader.forget(planned)
      return emit({ _tag: "StepFinished", id, index, steps: total, record, cause })
    }
    const reason = whyNot(state, planned)
    if (reason !== undefined) return yield* settle({ ...nothingDone, status: "skipped", reason })
    const exit = yield* Effect.exit(compute(planned, index))
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    if (Exit.isFailure(exit)) {
      if (Cause.hasInterrupts(exit.cause)) return yield* Effect.interrupt
      const error = describeCause(exit.cause)
      return yield* settle({ ...nothingDone, status: "failed", seconds, error }, exit.cause)
    }
    const { entry, cached, peakMemory } = exit.value
    results.set(id, entry)
    if (out !== undefined) yield* out.addStep(id, entry)
    return yield* settle({
      status: cached ? "cached" : "done",
      seconds,
      metrics: entry.metrics,
      dispatches: cached ? 0 : entry.dispatches,
      hostFallbacks: entry.hostFallbacks,
      notices: entry.notices,
      ...(peakMemory === undefined ? {} : { peakMemory }),
    })
  })
}
