import { DeviceArray, HostArray, Program, Spec } from "@espalier/tensor"
import type { Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import type { OwnSubject } from "./case.ts"
import type { Implementations } from "./case.ts"
import type { Formula } from "./inputs.ts"
import { uniform } from "./inputs.ts"

type T = Tensor.Tensor

/** A program of some arrays that gives one: compiled once, inputs on the device, run many times. */
export const arraysSubject = (
  name: string,
  load: () => ReadonlyArray<HostArray.HostArray>,
  build: (...inputs: ReadonlyArray<T>) => T,
): Implementations["ours"] =>
  Effect.gen(function* () {
    const inputs = load()
    const program = Program.make(name, { inputs: Spec.of(inputs) }, ({ inputs }) =>
      build(...inputs),
    )
    const run = yield* Program.compile(program)
    const given = { inputs: yield* DeviceArray.fromHostTree(inputs) }
    const start = run(given)
    return {
      once: Effect.map(start, DeviceArray.release),
      values: Effect.gen(function* () {
        const array = yield* start
        const { data } = yield* DeviceArray.toHost(array)
        DeviceArray.release(array)
        return data
      }),
    } satisfies OwnSubject
  })

/** The same of inputs that have formulas. */
export const programSubject = (
  name: string,
  formulas: ReadonlyArray<Formula>,
  build: (...inputs: ReadonlyArray<T>) => T,
): Implementations["ours"] =>
  arraysSubject(
    name,
    () => formulas.map((formula) => HostArray.make(formula.shape, uniform(formula))),
    build,
  )
