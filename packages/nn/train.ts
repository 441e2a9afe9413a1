import { Checkpoint, Notices, Progress } from "@espalier/runtime"
import { Device, DeviceArray, NonFinite } from "@espalier/tensor"
import type { Scope } from "effect"
import { Clock, Effect, Option } from "effect"
import { findNonFinite } from "./find_non_finite.ts"
import { firstLossScale, nextLossScale } from "./loss_scale.ts"
import type { TrainRecord } from "./state_file.ts"
import { decodeState, encodeState } from "./state_file.ts"
import { hostState, isFinite32, makeStepper } from "./stepper.ts"
import type { TrainEvent } from "./train_event.ts"
import type { TrainError, TrainOptions, TrainResult } from "./train_options.ts"
import { checkOptions, checkPrecision } from "./train_options.ts"
import type { ParameterTree, TrainStepState } from "./train_step.ts"
import { stateSpecs, stepNumbers } from "./train_step.ts"

type OnDevice = DeviceArray.DeviceArray

/** `loss 1.734, rate 1.0e-3, 12300 tokens/s, 45 MiB`. */
const noteOf = (event: Extract<TrainEvent, { _tag: "StepDone" }>, unit: string): string => {
  const { loss, learningRate, itemsPerSecond, deviceBytes } = event
  return [
    `loss ${loss.toFixed(3)}`,
    `rate ${learningRate.toExponential(1)}`,
    ...(itemsPerSecond === undefined
      ? []
      : [
          `${itemsPerSecond >= 100 ? itemsPerSecond.toFixed(0) : itemsPerSecond.toPrecision(3)} ${unit}/s`,
        ]),
    `${Math.ceil(deviceBytes / 2 ** 20)} MiB`,
  ].join(", ")
}

/** Steps a second since the first one ended, which has what is done once. */
const makeSpeedometer = () => {
  let began: { readonly step: number; readonly time: number } | undefined
  return (step: number, time: number): number | undefined => {
    began ??= { step, time }
    const seconds = (time - began.time) / 1000
    return seconds > 0 ? (step - began.step) / seconds : undefined
  }
}

/** The checkpoint of this job, or a beginning. */
const loadRun = Effect.fnUntraced(function* <P, B, C, E, R>(options: TrainOptions<P, B, C, E, R>) {
  const { name, job = "" } = options
  const start = hostState(stateSpecs(options), options.parameters)
  const kept = Option.flatMap(yield* Checkpoint.load(name), (files) => decodeState(files, start))
  if (Option.isSome(kept) && kept.value.record.job === job) return kept.value
  if (Option.isSome(kept)) {
    yield* Notices.report(
      `the checkpoint of ${name} belongs to another job: starting from the beginning`,
    )
  }
  const record: TrainRecord = {
    job,
    step: 0,
    losses: [],
    norms: [],
    evaluations: [],
    skipped: [],
    lossScale: firstLossScale,
  }
  return { record, tree: start }
})

/**
 * Minimises `loss` over `steps` batches. Reports progress, and goes on from the last checkpoint
 * of this `name` where the surrounding code provides a store for them: a resumed run gives the bits
 * that an unbroken one would have given. An interrupted run saves what it has done. Parameters and optimiser state stay on the device.
 *
 * Fails with `NonFinite` as soon as the loss or the gradient is not a number, and names the step and
 * the first bad tensor; with `UnsupportedDType` where the device lacks the precision; with
 * `InvalidTraining` where a number among the options makes no sense.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { HostArray, Interpreter, Tensor } from "@espalier/tensor"
 * import { Optimizers, Schedules, train } from "@espalier/nn"
 *
 * const result = await train({
 *   name: "fit",
 *   parameters: { w: HostArray.make([2], [0, 0]) },
 *   batch: () => ({ y: HostArray.make([2], [1, 2]) }),
 *   loss: ({ w }, { y }) => Tensor.sum(Tensor.square(Tensor.sub(w, y))),
 *   optimizer: Optimizers.sgd(),
 *   learningRate: Schedules.constantRate(0.25),
 *   steps: 20,
 * }).pipe(Effect.provide(Interpreter.layer), Effect.runPromise)
 * console.log(result.parameters.w.data) // almost 1 and 2
 * ```
 */
export const train = Effect.fn("train")(function* <P, B, C = unknown, E = never, R = never>(
  options: TrainOptions<P, B, C, E, R>,
): Effect.fn.Return<TrainResult<P>, TrainError | E, Device | Scope.Scope | R> {
  const { name, steps, evaluate, accumulate = 1, precision, items } = options
  const device = yield* Device
  const wrong = checkOptions(options) ?? checkPrecision(precision, device.info)
  if (wrong !== undefined) return yield* wrong
  const emit = (event: TrainEvent) => options.onEvent?.(event) ?? Effect.void

  const from = yield* loadRun(options)
  const [losses, norms] = [[...from.record.losses], [...from.record.norms]]
  let record: TrainRecord = { ...from.record, losses, norms }
  let best = from.best as P | undefined
  let state = (yield* DeviceArray.fromHostTree(from.tree)) as TrainStepState<P, OnDevice>
  const constants =
    options.constants === undefined
      ? undefined
      : ((yield* DeviceArray.fromHostTree(options.constants)) as ParameterTree<C, OnDevice>)
  const stepper = yield* makeStepper(options, constants, accumulate)
  if (record.step > 0) yield* emit({ _tag: "Resumed", step: record.step })

  let saved: TrainRecord = record
  const save = Effect.gen(function* () {
    if (saved === record) return
    const now = record
    const tree = yield* DeviceArray.toHostTree(state)
    yield* Checkpoint.save(
      name,
      encodeState({ record: now, tree, ...(best === undefined ? {} : { best }) }),
    )
    saved = now
    yield* emit({ _tag: "Saved", step: now.step })
  })

  // A step is done wholly or not at all, so that an interrupted run can still be saved.
  const advance = Effect.fnUntraced(function* (step: number) {
    const lossScale = record.lossScale.value
    const stepped = yield* stepper(state, step, stepNumbers(options, step, lossScale))
    state = stepped.state
    const { loss, norm } = stepped
    const overflowed = !isFinite32(norm)
    if (!isFinite32(loss) || (overflowed && (precision !== "f16" || lossScale <= 1))) {
      const { parameters } = state
      const given = { parameters, constants, step, parts: accumulate, lossScale }
      return yield* yield* findNonFinite(options, given)
    }
    losses.push(loss)
    norms.push(overflowed ? 0 : norm)
    record = {
      ...record,
      step,
      skipped: overflowed ? [...record.skipped, step] : record.skipped,
      lossScale:
        precision === "f16" ? nextLossScale(record.lossScale, overflowed) : record.lossScale,
    }
    if (overflowed) {
      yield* emit({ _tag: "StepSkipped", step, lossScale: record.lossScale.value })
    }
  }, Effect.uninterruptible)

  const speed = makeSpeedometer()
  const report = Effect.fnUntraced(function* (step: number) {
    const stepsPerSecond = speed(step, yield* Clock.currentTimeMillis)
    const event: TrainEvent = {
      _tag: "StepDone",
      step,
      steps,
      loss: losses[step - 1],
      gradientNorm: norms[step - 1],
      learningRate: options.learningRate(step),
      deviceBytes: device.statistics().liveBytes,
      ...(stepsPerSecond === undefined
        ? {}
        : {
            itemsPerSecond: stepsPerSecond * (items?.count ?? 1),
            secondsLeft: (steps - step) / stepsPerSecond,
          }),
    }
    yield* emit(event)
    const note = noteOf(event, items?.unit ?? "steps")
    yield* Progress.report({ task: name, completed: step, total: steps, unit: "steps", note })
  })

  /** Evaluates where it is time to; true where patience has come to its end. */
  const look = Effect.gen(function* () {
    if (evaluate === undefined) return false
    const { step, evaluations } = record
    const isDue = step % evaluate.every === 0 || step === steps
    if (isDue && evaluations.at(-1)?.step !== step) {
      const seen = state.average ?? state.parameters
      const value = yield* evaluate.run(seen, constants as ParameterTree<C, OnDevice>)
      if (!Number.isFinite(value)) {
        const hint = "Look at what the evaluation computes, and at the loss before this step."
        return yield* new NonFinite({ program: name, node: "the evaluation", step, hint })
      }
      const isBest = record.best === undefined || value < record.best.value
      if (isBest) best = (yield* DeviceArray.toHostTree(seen)) as P
      record = {
        ...record,
        evaluations: [...evaluations, { step, value }],
        ...(isBest ? { best: { step, value } } : {}),
      }
      yield* emit({ _tag: "Evaluated", step, value, isBest })
    }
    const since = record.evaluations.filter((each) => each.step > record.best!.step).length
    if (since < (evaluate.patience ?? Number.POSITIVE_INFINITY)) return false
    if (step < steps) yield* emit({ _tag: "StoppedEarly", step, best: record.best!.step })
    return true
  })

  yield* Effect.gen(function* () {
    const every = (options.checkpointSeconds ?? 20) * 1000
    let lastSave = yield* Clock.currentTimeMillis
    while (!(yield* look) && record.step < steps) {
      const step = record.step + 1
      yield* advance(step)
      yield* report(step)
      const now = yield* Clock.currentTimeMillis
      if (now - lastSave >= every && step < steps) {
        yield* save
        lastSave = now
      }
      yield* Effect.yieldNow
    }
  }).pipe(Effect.onInterrupt(() => Effect.ignore(save)))

  const result: TrainResult<P> = {
    parameters: (yield* DeviceArray.toHostTree(state.parameters)) as P,
    losses,
    gradientNorms: norms,
    ...(state.average === undefined
      ? {}
      : { average: (yield* DeviceArray.toHostTree(state.average)) as P }),
    evaluations: record.evaluations,
    ...(record.best === undefined ? {} : { best: { ...record.best, parameters: best! } }),
    skipped: record.skipped,
  }
  yield* Checkpoint.clear(name)
  return result
}, Effect.scoped)
