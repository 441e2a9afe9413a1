import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { graphOf } from "../conformance/mod.ts"
import type { GraphOptions, GraphRecipe } from "../conformance/mod.ts"
import { describeGraph, graphProgram } from "../conformance/agreement.ts"
import { shrinkGraph } from "../conformance/shrink.ts"
import * as DeviceArray from "../device_array.ts"
import * as Interpreter from "../interpreter.ts"
import * as Program from "../program.ts"
import { checkSchedule } from "../testing/check_schedule.ts"
import { evaluateGraph } from "../testing/evaluate_graph.ts"

/** Both ways of computing are `f64` in the same order, so nothing but equality will do. */
const problemOf = (recipe: GraphRecipe): string | undefined => {
  try {
    const { program, inputs } = graphProgram(recipe)
    checkSchedule(program.schedule)
    const expected = evaluateGraph(program.outputs, inputs)
    const found = Effect.gen(function* () {
      const run = yield* Program.compile(program)
      return yield* DeviceArray.toHostTree(yield* run(inputs as never))
    }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runSync)
    for (const [i, { data }] of found.entries()) {
      const wrong = data.findIndex((x, at) => x !== expected[i].data[at] && !Number.isNaN(x))
      if (wrong < 0 && data.length === expected[i].data.length) continue
      return `output ${i} at ${wrong} is ${data[wrong]}, not ${expected[i].data[wrong]}`
    }
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const describeRecipe = (recipe: GraphRecipe): string => {
  try {
    return describeGraph(graphProgram(recipe))
  } catch {
    return JSON.stringify(recipe)
  }
}

const allAgree = (seed: number, count: number, options: GraphOptions): void => {
  for (let index = 0; index < count; index++) {
    const recipe = graphOf(seed, index, options)
    if (problemOf(recipe) === undefined) continue
    const fails = (candidate: GraphRecipe) => Effect.sync(() => problemOf(candidate) !== undefined)
    const small = Effect.runSync(shrinkGraph(recipe, fails))
    assert.fail(`graph ${index} of seed ${seed}: ${problemOf(small)}\n\n${describeRecipe(small)}`)
  }
}

describe("a scheduled program gives what its operations give one by one", () => {
  it("for 600 random graphs", () => allAgree(11, 600, { gradient: false, steps: 50 }))
  it("for the gradients of 300 random graphs", () =>
    allAgree(12, 300, { gradient: true, steps: 40 }))
})
