import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { draw, generator } from "../conformance.ts"
import * as DeviceArray from "../device_array.ts"
import { isFloat } from "../dtype.ts"
import { NoGradient } from "../errors.ts"
import { gradients } from "../gradient.ts"
import type { HostArray } from "../host_array.ts"
import * as Interpreter from "../interpreter.ts"
import type { Schedule } from "../ir/schedule.ts"
import * as Program from "../program.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"
import { evaluateGraph } from "../testing/evaluate_graph.ts"
import type { GraphRecipe } from "../testing/random_graph.ts"
import { buildRecipe, graphRecipe } from "../testing/random_graph.ts"
import { checkSchedule } from "../testing/check_schedule.ts"

const valuesOf = (recipe: GraphRecipe): ReadonlyArray<HostArray> => {
  const random = generator(recipe.steps.length)
  return recipe.inputs.map(({ shape, dtype }) =>
    draw(
      { shape, dtype, domain: isFloat(dtype) ? [-2, 2] : [0, dtype === "bool" ? 1 : 5] },
      random,
    ),
  )
}

const run = (
  program: Program.Program<ReadonlyArray<Program.Spec>, ReadonlyArray<Tensor>>,
  inputs: ReadonlyArray<HostArray>,
): ReadonlyArray<HostArray> =>
  Effect.gen(function* () {
    const compiled = yield* Program.compile(program)
    return (yield* DeviceArray.toHostTree(yield* compiled(inputs as never))) as never
  }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runSync)

const describeSchedule = ({ steps }: Schedule): string =>
  steps.map(({ kernel, buffers }) => `${kernel.name} on ${buffers.join(" ")}`).join("; ")

/** Both ways of computing are `f64` in the same order, so nothing but equality will do. */
const agrees = (
  recipe: GraphRecipe,
  build: (inputs: ReadonlyArray<Tensor>) => ReadonlyArray<Tensor>,
): void => {
  const inputs = valuesOf(recipe)
  const specs = inputs.map(({ shape, dtype }) => new Program.Spec(shape, dtype))
  const program = Program.make("random", specs, (tensors) => build(tensors))
  checkSchedule(program.schedule)
  const expected = evaluateGraph(program.outputs, inputs)
  for (const [i, { data }] of run(program, inputs).entries()) {
    const wrong = data.findIndex((x, at) => x !== expected[i].data[at] && !Number.isNaN(x))
    if (wrong >= 0 || data.length !== expected[i].data.length) {
      const found = `output ${i} at ${wrong} is ${data[wrong]}, not ${expected[i].data[wrong]}`
      assert.fail(`${found}: ${describeSchedule(program.schedule)}`)
    }
  }
}

describe("a scheduled program gives what its operations give one by one", () => {
  it("for 600 random graphs", () => {
    fc.assert(
      fc.property(graphRecipe, (recipe) => agrees(recipe, (inputs) => buildRecipe(recipe, inputs))),
      { numRuns: 600, seed: 11 },
    )
  })

  it("for the gradients of 300 random graphs", () => {
    fc.assert(
      fc.property(graphRecipe, (recipe) =>
        agrees(recipe, (inputs) => {
          const built = buildRecipe(recipe, inputs)
          const floats = built.filter((x) => isFloat(x.dtype))
          const wanted = inputs.filter((x) => isFloat(x.dtype))
          const loss = floats
            .map((x) => T.sum(T.tanh(x)))
            .reduce((a, b) => T.add(a, b), T.scalar(0))
          try {
            return [loss, ...gradients(loss, wanted)]
          } catch (error) {
            if (error instanceof NoGradient) return [loss]
            throw error
          }
        }),
      ),
      { numRuns: 300, seed: 12 },
    )
  })
})
