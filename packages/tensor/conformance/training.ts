import { Effect } from "effect"
import { Device } from "../device.ts"
import { fromHostTree, release, toHost, toHostTree } from "../device_array.ts"
import { valueAndGrad } from "../gradient.ts"
import type { HostArray } from "../host_array.ts"
import { make as makeArray, zeros } from "../host_array.ts"
import { generator } from "./case.ts"
import * as Programs from "../program.ts"
import { Scalar, Spec } from "../program.ts"
import * as Random from "../random.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"
import * as Tree from "../tree.ts"

type Layers<A> = { readonly in: A; readonly bias: A; readonly out: A }

/** Extents of the perceptron: large ones are shared between threads, small ones are quick. */
export interface TrainingSize {
  readonly batch: number
  readonly width: number
  readonly hidden: number
}

const perceptron = (w: Layers<Tensor>, x: Tensor): Tensor =>
  T.matmul(T.gelu(T.add(T.matmul(x, w.in), w.bias)), w.out)

/** One step of Adam (Kingma & Ba 2015) on a perceptron that learns to double what it sees. */
const trainingStep = ({ batch, width, hidden }: TrainingSize) => {
  const layers: Layers<Spec> = {
    in: Spec.f32([width, hidden]),
    bias: Spec.f32([hidden]),
    out: Spec.f32([hidden, width]),
  }
  return Programs.make(
    "training step",
    { state: { weights: layers, first: layers, second: layers }, key: Spec.u32([2]), rate: Scalar },
    ({ state, key, rate }) => {
      const x = Random.normal(key, [batch, width])
      const loss = (weights: Layers<Tensor>) =>
        T.mean(T.square(T.sub(perceptron(weights, x), T.mul(x, 2))))
      const { value, grads } = valueAndGrad(loss)(state.weights)
      const first = Tree.map2(state.first, grads, (m: Tensor, g: Tensor) =>
        T.add(T.mul(m, 0.9), T.mul(g, 0.1)),
      )
      const second = Tree.map2(state.second, grads, (v: Tensor, g: Tensor) =>
        T.add(T.mul(v, 0.99), T.mul(T.square(g), 0.01)),
      )
      const moves = Tree.map2(first, second, (m: Tensor, v: Tensor) =>
        T.div(T.mul(m, rate), T.add(T.sqrt(v), 1e-8)),
      )
      const weights = Tree.map2(state.weights, moves, (w: Tensor, d: Tensor) => T.sub(w, d))
      return { loss: value, state: { weights, first, second } }
    },
  )
}

const initial = ({ width, hidden }: TrainingSize) => {
  const random = generator(1)
  const drawn = (shape: ReadonlyArray<number>): HostArray =>
    makeArray(
      shape,
      Float32Array.from({ length: shape[0] * shape[1] }, () => (random() - 0.5) / 2),
    )
  const none: Layers<HostArray> = {
    in: zeros([width, hidden]),
    bias: zeros([hidden]),
    out: zeros([hidden, width]),
  }
  return {
    weights: { in: drawn([width, hidden]), bias: zeros([hidden]), out: drawn([hidden, width]) },
    first: none,
    second: none,
  }
}

/** A training run for tests of devices. */
export interface TrainingRun extends Partial<TrainingSize> {
  readonly steps: number
  /** Called after each step with the bytes that the device holds, arrays that are alive included. */
  readonly onStep?: (step: number, liveBytes: number) => void
}

/**
 * Trains a small perceptron and gives its weights, moments and last loss: for tests of memory, which
 * has to stay flat, and of bits, which have to be the same each time.
 */
export const train = ({
  steps,
  onStep,
  batch = 8,
  width = 6,
  hidden = 16,
}: TrainingRun): Effect.Effect<
  { readonly loss: number; readonly state: ReadonlyArray<HostArray> },
  Programs.RunError | Effect.Error<ReturnType<typeof Programs.compile>>,
  Device
> =>
  Effect.gen(function* () {
    const size = { batch, width, hidden }
    const device = yield* Device
    const run = yield* Programs.compile(trainingStep(size))
    let state = yield* fromHostTree(initial(size))
    let loss = Number.NaN
    for (let step = 0; step < steps; step++) {
      const key = makeArray([2], Uint32Array.of(7, step))
      const out = yield* run({ state, key, rate: 0.01 }, { donate: ["state"] })
      state = out.state
      // Reading waits for the device: now and then is enough.
      if (step % 100 === 99 || step === steps - 1) loss = (yield* toHost(out.loss)).data[0]
      release(out.loss)
      onStep?.(step, device.statistics().liveBytes)
    }
    return { loss, state: Tree.leaves<HostArray>(yield* toHostTree(state)) }
  }).pipe(Effect.scoped)
