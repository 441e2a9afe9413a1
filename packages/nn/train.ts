import { Checkpoint, Progress } from "@espalier/runtime"
import type { CompileError, Device, HostArray } from "@espalier/tensor"
import { DeviceArray, Grad, NonFinite, Program, Scalar, Spec, Tensor, Tree } from "@espalier/tensor"
import type { Scope } from "effect"
import { Clock, Effect, Option } from "effect"
import type { Optimizer } from "./optimizers.ts"
import { clipFactor, globalNorm } from "./optimizers.ts"
import type { LearningRateSchedule } from "./schedules.ts"
import { decodeState, encodeState } from "./state_file.ts"

type T = Tensor.Tensor

/** A tree of parameters with leaves of one kind. */
export type ParameterTree<P, A> = Tree.Mapped<P, HostArray.HostArray, A>

/** What a training run is told. `P` is the tree of parameters, `B` the tree of one batch. */
export interface TrainOptions<P, B> {
  readonly name: string
  readonly parameters: P
  /** The scalar that is minimised, traced once. */
  readonly loss: (
    parameters: ParameterTree<P, T>,
    batch: Tree.Mapped<B, HostArray.HostArray, T>,
  ) => T
  /** The batch of a step, counted from 1: the same step always gives the same batch. */
  readonly batch: (step: number) => B
  readonly steps: number
  readonly optimizer: Optimizer
  readonly learningRate: LearningRateSchedule
  /** Gradients are scaled down to this global norm; not clipped by default. */
  readonly clip?: number
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

type State<P> = {
  readonly parameters: P
  readonly slots: Readonly<Record<string, P>>
}

/**
 * The traced step: loss, gradients, clipping and update in one program, with parameters and
 * optimiser state donated from one step to the next.
 */
export const makeTrainStep = <P, B>(options: TrainOptions<P, B>) => {
  const { optimizer, clip } = options
  const specs = Spec.of(options.parameters)
  const slots = Object.fromEntries(optimizer.slots.map((slot) => [slot, specs]))
  const hyperparameters = Tree.map<number, Spec, Record<string, number>>(
    { ...optimizer.hyperparameters(1, options.learningRate(1)) },
    () => Scalar,
  )
  const inputs = {
    state: { parameters: specs, slots },
    batch: Spec.of(options.batch(1)),
    hyperparameters,
  }
  return Program.make(options.name, inputs, (given) => {
    const { state, batch, hyperparameters } = given as unknown as {
      readonly state: State<ParameterTree<P, T>>
      readonly batch: Tree.Mapped<B, HostArray.HostArray, T>
      readonly hyperparameters: Readonly<Record<string, T>>
    }
    const { value, grads } = Grad.valueAndGrad((p: ParameterTree<P, T>) => options.loss(p, batch))(
      state.parameters,
    )
    const norm = globalNorm(grads)
    const factor = clip === undefined ? undefined : clipFactor(norm, clip)
    const gradients = Tree.leaves<T>(grads)
    const slotLeaves = optimizer.slots.map((slot) => Tree.leaves<T>(state.slots[slot]))
    const updated = Tree.entries(state.parameters).map(([path, leaf], i) => {
      const gradient = factor === undefined ? gradients[i]! : Tensor.mul(gradients[i]!, factor)
      const own = Object.fromEntries(optimizer.slots.map((slot, s) => [slot, slotLeaves[s]![i]!]))
      return optimizer.update(leaf as T, gradient, own, hyperparameters, path)
    })
    const gather = (pick: (i: number) => T) =>
      Tree.fill<T, T, ParameterTree<P, T>>(
        state.parameters,
        updated.map((_, i) => pick(i)),
      )
    return {
      loss: value,
      norm,
      state: {
        parameters: gather((i) => updated[i]!.parameter),
        slots: Object.fromEntries(
          optimizer.slots.map((slot) => [slot, gather((i) => updated[i]!.state[slot]!)]),
        ),
      },
    }
  })
}

/** Everything that can stop a training run. */
export type TrainError = Program.RunError | CompileError | NonFinite

/**
 * Minimises `loss` over `steps` batches. Reports progress, and goes on from the last checkpoint
 * where the surrounding code provides a store for them.
 *
 * Fails with `NonFinite` as soon as the loss is not a number.
 */
export const train = Effect.fn("train")(function* <P, B>(
  options: TrainOptions<P, B>,
): Effect.fn.Return<TrainResult<P>, TrainError, Device | Scope.Scope> {
  const { name, optimizer, steps } = options
  const step = yield* Program.compile(makeTrainStep(options))
  const zeros = () =>
    Tree.map<HostArray.HostArray, HostArray.HostArray, P>(options.parameters, (leaf) => ({
      ...leaf,
      data: leaf.data.slice().fill(0),
    }))
  const start = {
    parameters: options.parameters,
    slots: Object.fromEntries(optimizer.slots.map((slot) => [slot, zeros()])),
  }
  const saved = Option.flatMap(yield* Checkpoint.load(name), (files) => decodeState(files, start))
  const from = Option.getOrElse(saved, () => ({ step: 0, losses: [], norms: [], tree: start }))
  const losses: Array<number> = [...from.losses]
  const gradientNorms: Array<number> = [...from.norms]
  let state: unknown = yield* DeviceArray.fromHostTree(from.tree)
  let lastSave = yield* Clock.currentTimeMillis
  const every = (options.checkpointSeconds ?? 20) * 1000

  for (let at = from.step + 1; at <= steps; at++) {
    const given = {
      state,
      batch: options.batch(at),
      hyperparameters: optimizer.hyperparameters(at, options.learningRate(at)),
    }
    const result = (yield* step(given as never, { donate: ["state"] })) as unknown as {
      readonly loss: DeviceArray.DeviceArray
      readonly norm: DeviceArray.DeviceArray
      readonly state: unknown
    }
    state = result.state
    const [loss] = yield* DeviceArray.toArray(result.loss)
    const [norm] = yield* DeviceArray.toArray(result.norm)
    DeviceArray.release([result.loss, result.norm])
    if (!Number.isFinite(loss!) || !Number.isFinite(norm!)) {
      const hint = "Lower the learning rate or clip the gradients."
      return yield* new NonFinite({ program: name, node: "the loss or its gradient", step: at, hint })
    }
    losses.push(loss!)
    gradientNorms.push(norm!)
    yield* Progress.report({
      task: name,
      completed: at,
      total: steps,
      unit: "steps",
      note: `loss ${loss!.toFixed(3)}`,
    })
    const now = yield* Clock.currentTimeMillis
    if (now - lastSave >= every && at < steps) {
      const tree = yield* DeviceArray.toHostTree(state)
      yield* Checkpoint.save(name, encodeState({ step: at, losses, norms: gradientNorms, tree }))
      lastSave = now
    }
    yield* Effect.yieldNow
  }
  const final = (yield* DeviceArray.toHostTree(state)) as unknown as State<P>
  yield* Checkpoint.clear(name)
  return { parameters: final.parameters, losses, gradientNorms }
}, Effect.scoped)
