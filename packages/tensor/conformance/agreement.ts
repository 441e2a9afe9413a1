import { Effect, Schema } from "effect"
import { agreement, evaluateWithBounds } from "./bounds.ts"
import type { GraphRecipe } from "./graphs.ts"
import { buildGraph, graphInputs } from "./graphs.ts"
import { listing } from "./listing.ts"
import { Device } from "../device.ts"
import * as DeviceArray from "../device_array.ts"
import type { HostArray } from "../host_array.ts"
import * as Programs from "../program.ts"
import { Spec } from "../program.ts"
import type { Tensor } from "../tensor.ts"

/** A random graph that a device does not compute as the reference does. */
export class GraphFailure extends Schema.TaggedError<GraphFailure>()("GraphFailure", {
  problem: Schema.String,
  /** The graph, one operation a line, and the kernels that it becomes. */
  graph: Schema.String,
}) {
  override get message(): string {
    return `${this.problem}\n\n${this.graph}`
  }
}

/** What checking one graph or several comes to. */
export interface GraphTally {
  readonly graphs: number
  readonly kernels: number
  readonly elements: number
  /** Elements whose bound was narrow enough to say something. */
  readonly checked: number
  /** Outputs that were written over a donated input. */
  readonly inPlace: number
}

/** A recipe as a program with its inputs. */
export const graphProgram = (recipe: GraphRecipe) => {
  const inputs = graphInputs(recipe)
  const specs = inputs.map(({ shape, dtype }) => new Spec(shape, dtype))
  const program = Programs.make(`random graph ${recipe.seed}`, specs, (tensors) =>
    buildGraph(recipe, tensors),
  )
  return { program, inputs }
}

export type GraphProgram = ReturnType<typeof graphProgram>

/** The graph and its kernels, as text. */
export const describeGraph = ({ program }: GraphProgram): string =>
  `${listing(program.outputs)}\n\n${Programs.explain(program)}`

const sameBits = (x: HostArray, y: HostArray): boolean =>
  x.data.length === y.data.length && x.data.every((value, i) => Object.is(value, y.data[i]))

/** Runs with arrays of the host. */
const runOnce = (compiled: Programs.Compiled<ReadonlyArray<Spec>, ReadonlyArray<Tensor>>) =>
  Effect.fnUntraced(function* (inputs: ReadonlyArray<HostArray>) {
    const outputs = yield* compiled(inputs)
    return yield* DeviceArray.toHostTree(outputs)
  }, Effect.scoped)

/** Runs with arrays of the device, of which every other one is given away. */
const runDonating = (compiled: Programs.Compiled<ReadonlyArray<Spec>, ReadonlyArray<Tensor>>) =>
  Effect.fnUntraced(function* (inputs: ReadonlyArray<HostArray>, parity: number) {
    const given = yield* Effect.forEach(inputs, DeviceArray.fromHost)
    const donate = given.flatMap((_, i) => (i % 2 === parity ? [String(i)] : []))
    const outputs = yield* compiled(given, { donate: donate as never })
    const kept = given.filter((array) => array.gone === undefined)
    return {
      outputs: yield* DeviceArray.toHostTree(outputs),
      untouched: yield* Effect.forEach(kept, (array) =>
        Effect.map(DeviceArray.toHost(array), (after) =>
          sameBits(after, inputs[given.indexOf(array)]),
        ),
      ),
    }
  }, Effect.scoped)

/**
 * Checks one random graph on the current device: its outputs against the references of the op table,
 * then that three more runs of the same compiled program, with inputs that are kept or donated and
 * memory that was used before, give the same bits, leave their inputs alone and return all memory.
 */
export const checkGraph = Effect.fnUntraced(function* (
  recipe: GraphRecipe,
): Effect.fn.Return<
  GraphTally,
  GraphFailure | Programs.RunError | Effect.Error<ReturnType<typeof Programs.compile>>,
  Device
> {
  const device = yield* Device
  const before = device.statistics().liveBytes
  const made = graphProgram(recipe)
  const { program, inputs } = made
  const refuse = (problem: string) =>
    Effect.fail(new GraphFailure({ problem, graph: describeGraph(made) }))
  const bounded = evaluateWithBounds(program.outputs, inputs)
  const tally = { graphs: 1, kernels: 0, elements: 0, checked: 0, inPlace: 0 }
  tally.kernels = program.schedule.steps.length
  tally.inPlace = program.schedule.inPlace.length
  yield* Effect.scoped(
    Effect.gen(function* () {
      const compiled = yield* Programs.compile(program)
      const first = yield* runOnce(compiled)(inputs)
      for (const [i, found] of first.entries()) {
        const { elements, checked, worst } = agreement(found, bounded[i])
        tally.elements += elements
        tally.checked += checked
        const { position, bound } = worst
        if (position < 0) continue
        const expected = bounded[i].values.data[position]
        const value = `output ${i} at ${position} is ${found.data[position]}, not ${expected}`
        return yield* refuse(`${value} (± ${bound})`)
      }
      for (const parity of [0, 1]) {
        const { outputs, untouched } = yield* runDonating(compiled)(inputs, parity)
        const other = outputs.findIndex((found, i) => !sameBits(found, first[i]))
        if (other >= 0) return yield* refuse(`output ${other} differs when inputs are donated`)
        if (untouched.includes(false)) return yield* refuse("a run changed one of its inputs")
      }
      const again = yield* runOnce(compiled)(inputs)
      const other = again.findIndex((found, i) => !sameBits(found, first[i]))
      if (other >= 0) return yield* refuse(`output ${other} differs when the program runs again`)
    }),
  )
  const after = device.statistics().liveBytes
  if (after !== before) return yield* refuse(`${after - before} bytes were not given back`)
  return tally
})
