import { Checkpoint, Progress } from "@espalier/runtime"
import type { CompileError, Device, HostArray } from "@espalier/tensor"
import { DeviceArray, NonFinite, Program, Tree } from "@espalier/tensor"
import type { Scope } from "effect"
import { Clock, Effect, Option } from "effect"
import { decodeState, encodeState } from "./state_file.ts"
import type { TrainStepInputs, TrainStepOptions, TrainStepState } from "./train_step.ts"
import { makeTrainStep } from "./train_step.ts"

/** What a training run is told. `P` is the tree of parameters, `B` the tree of one batch. */
export interface TrainOptions<P, B> extends TrainStepOptions<P, B> {
  readonly steps: number
  /** Seconds between checkpoints; 20. */
  readonly checkpointSeconds?: number
}

/** The trained parameters and what was seen on the way. */
export interface TrainResult<P> {
  readonly parameters: P
  /** Loss of each step. */
  readonly losses: ReadonlyArray<number>
  /** Global gradient norm of each step, before clipping. */
  readonly gradientNorms: ReadonlyArray<number>
}

/** Everything that can stop a training run. */
export type TrainError = Program.RunError | CompileError | NonFinite

/** A state before the first step: the optimiser's arrays are zero. */
const startOf = <P, B>({ parameters, optimizer }: TrainStepOptions<P, B>) => {
  const zeros = Tree.map<HostArray.HostArray, HostArray.HostArray, P>(parameters, (leaf) => ({
    ...leaf,
    data: leaf.data.slice().fill(0),
  }))
  return { parameters, slots: Object.fromEntries(optimizer.slots.map((slot) => [slot, zeros])) }
}

/**
 * Minimises `loss` over `steps` batches. Reports progress, and goes on from the last checkpoint
 * of this `name` where the surrounding code provides a store for them: a resumed run gives the bits
 * that an unbroken one would have given. An interrupted run saves what it has done. Parameters and optimiser state stay on the device.
 *
 * Fails with `NonFinite` as soon as the loss or the gradient is not a number.
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
export const train = Effect.fn("train")(function* <P, B>(
  options: TrainOptions<P, B>,
): Effect.fn.Return<TrainResult<P>, TrainError, Device | Scope.Scope> {
  const { name, optimizer, steps } = options
  type Given = Parameters<Program.Compiled<TrainStepInputs<P, B>, unknown>>[0]
  const step = yield* Program.compile(makeTrainStep(options))
  const start = startOf(options)
  const kept = Option.flatMap(yield* Checkpoint.load(name), (files) => decodeState(files, start))
  const from = Option.getOrElse(kept, () => ({ step: 0, losses: [], norms: [], tree: start }))
  const losses: Array<number> = [...from.losses]
  const gradientNorms: Array<number> = [...from.norms]
  let state = (yield* DeviceArray.fromHostTree(from.tree)) as TrainStepState<
    P,
    DeviceArray.DeviceArray
  >
  const every = (options.checkpointSeconds ?? 20) * 1000
  let done = from.step
  let saved = from.step
  const save = Effect.suspend(() => {
    if (saved === done) return Effect.void
    saved = done
    const files = Effect.map(DeviceArray.toHostTree(state), (tree) =>
      encodeState({ step: done, losses, norms: gradientNorms, tree }),
    )
    return Effect.flatMap(files, (encoded) => Checkpoint.save(name, encoded))
  })
  // A step is done wholly or not at all, so that an interrupted run can still be saved.
  const advance = Effect.fnUntraced(function* (at: number) {
    const batch = options.batch(at)
    const hyperparameters = optimizer.hyperparameters(at, options.learningRate(at))
    const result = yield* step({ state, batch, hyperparameters } as Given, { donate: ["state"] })
    state = result.state as typeof state
    const [loss] = yield* DeviceArray.toArray(result.loss)
    const [norm] = yield* DeviceArray.toArray(result.norm)
    DeviceArray.release([result.loss, result.norm])
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      const node = "the loss or its gradient"
      const hint = "Lower the learning rate or clip the gradients."
      return yield* new NonFinite({ program: name, node, step: at, hint })
    }
    losses.push(loss)
    gradientNorms.push(norm)
    done = at
    return `loss ${loss.toFixed(3)}`
  }, Effect.uninterruptible)

  yield* Effect.gen(function* () {
    let lastSave = yield* Clock.currentTimeMillis
    for (let at = from.step + 1; at <= steps; at++) {
      const note = yield* advance(at)
      yield* Progress.report({ task: name, completed: at, total: steps, unit: "steps", note })
      const now = yield* Clock.currentTimeMillis
      if (now - lastSave >= every && at < steps) {
        yield* save
        lastSave = now
      }
      yield* Effect.yieldNow
    }
  }).pipe(Effect.onInterrupt(() => Effect.ignore(save)))
  const parameters = (yield* DeviceArray.toHostTree(state.parameters)) as P
  yield* Checkpoint.clear(name)
  return { parameters, losses, gradientNorms }
}, Effect.scoped)
