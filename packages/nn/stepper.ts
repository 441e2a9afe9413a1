import type { DeviceArray, Spec } from "@espalier/tensor"
import { DeviceArray as Arrays, HostArray, Program, Tree } from "@espalier/tensor"
import { Effect } from "effect"
import { makeAccumulatedStep } from "./accumulated_step.ts"
import type { Hyperparameters } from "./optimizer.ts"
import type {
  ParameterTree,
  TrainStepInputs,
  TrainStepOptions,
  TrainStepState,
} from "./train_step.ts"
import { makeTrainStep } from "./train_step.ts"

type OnDevice = DeviceArray.DeviceArray

/** What a step gave. Where loss or norm is not finite, the state is what it was. */
export interface Stepped<P> {
  readonly state: TrainStepState<P, OnDevice>
  readonly loss: number
  readonly norm: number
}

/** Whether a number is finite as an `f32`, which it is on the devices. */
export const isFinite32 = (value: number): boolean => Number.isFinite(Math.fround(value))

const readNumber = Effect.fnUntraced(function* (array: OnDevice) {
  const [value] = yield* Arrays.toArray(array)
  Arrays.release(array)
  return value
})

/** One program a step. */
const makeFused = Effect.fnUntraced(function* <P, B, C>(
  options: TrainStepOptions<P, B, C>,
  constants: object,
) {
  type Given = Parameters<Program.Compiled<TrainStepInputs<P, B, C>, unknown>>[0]
  const run = yield* Program.compile(makeTrainStep(options, { guard: true }))
  return Effect.fnUntraced(function* (
    state: TrainStepState<P, OnDevice>,
    step: number,
    hyperparameters: Hyperparameters,
  ) {
    const given = { state, batch: options.batch(step, 0), hyperparameters, ...constants } as Given
    const made = yield* run(given, { donate: ["state"] })
    const stepped: Stepped<P> = {
      state: made.state as TrainStepState<P, OnDevice>,
      loss: yield* readNumber(made.loss),
      norm: yield* readNumber(made.norm),
    }
    return stepped
  })
})

/** Many batches a step, whose gradients are added up. */
const makeAccumulated = Effect.fnUntraced(function* <P, B, C>(
  options: TrainStepOptions<P, B, C>,
  constants: object,
  parts: number,
) {
  const programs = makeAccumulatedStep(options, parts)
  type Add = Parameters<Program.Compiled<typeof programs.add.inputs, unknown>>[0]
  type Update = Parameters<Program.Compiled<typeof programs.update.inputs, unknown>>[0]
  const add = yield* Program.compile(programs.add)
  const update = yield* Program.compile(programs.update)
  const zeros = programs.sums.map(({ shape, dtype }: Spec) => HostArray.zeros(shape, dtype))
  let sums: ReadonlyArray<OnDevice> = yield* Arrays.fromHostTree(zeros)
  return Effect.fnUntraced(function* (
    state: TrainStepState<P, OnDevice>,
    step: number,
    hyperparameters: Hyperparameters,
  ) {
    const { parameters } = state
    let total = 0
    for (let part = 0; part < parts; part++) {
      const batch = options.batch(step, part)
      const first = part === 0 ? 1 : 0
      const given = { parameters, sums, first, hyperparameters, batch, ...constants }
      const made = yield* add(given as unknown as Add, { donate: ["sums"] })
      sums = made.sums
      total += yield* readNumber(made.loss)
    }
    const loss = total / parts
    if (!isFinite32(loss)) return { state, loss, norm: Number.NaN } satisfies Stepped<P>
    const made = yield* update({ state, sums, hyperparameters } as unknown as Update, {
      donate: ["state"],
    })
    const stepped: Stepped<P> = {
      state: made.state as TrainStepState<P, OnDevice>,
      loss,
      norm: yield* readNumber(made.norm),
    }
    return stepped
  })
})

/** Compiles what one step takes. It donates the state that it is given. */
export const makeStepper = <P, B, C>(
  options: TrainStepOptions<P, B, C>,
  constants: ParameterTree<C, OnDevice> | undefined,
  parts: number,
) => {
  const given = constants === undefined ? {} : { constants }
  return parts === 1 ? makeFused(options, given) : makeAccumulated(options, given, parts)
}

/** Parameters as given, and the optimiser's arrays, all zero: a state before the first step. */
export const hostState = <P>(
  specs: TrainStepState<P, Spec>,
  parameters: P,
): { readonly parameters: P; readonly slots: unknown; readonly average?: P } => ({
  parameters,
  slots: Tree.map(specs.slots, ({ shape, dtype }: Spec) => HostArray.zeros(shape, dtype)),
  ...(specs.average === undefined ? {} : { average: parameters }),
})
