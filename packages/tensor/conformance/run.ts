import { Cause, Effect, Exit } from "effect"
import type { GraphTally } from "./agreement.ts"
import { checkGraph, describeGraph, GraphFailure, graphProgram } from "./agreement.ts"
import type { GraphOptions, GraphRecipe } from "./graphs.ts"
import { randomGraph } from "./graphs.ts"
import { shrinkGraph } from "./shrink.ts"
import type { Device } from "../device.ts"

/** The seed of a day, in UTC: `20250131`. */
export const daySeed = (date = new Date()): number =>
  Number(date.toISOString().slice(0, 10).replaceAll("-", ""))

/** Random graphs that follow from one seed. */
export interface GraphRun extends GraphOptions {
  readonly seed: number
  readonly count: number
  /** Number of the first graph; default 0. */
  readonly from?: number
  /** What a person types to see a failure again. */
  readonly repeat: string
  /** Called after each graph; `false` ends the run. */
  readonly progress?: (tally: GraphTally) => boolean
}

/** Graph `index` of a seed; every fourth is differentiated. */
export const graphOf = (seed: number, index: number, options: GraphOptions = {}): GraphRecipe =>
  randomGraph((Math.imul(seed, 0x9e3779b1) + index) >>> 0, {
    gradient: index % 4 === 3,
    ...options,
  })

const noGraphs: GraphTally = { graphs: 0, kernels: 0, elements: 0, checked: 0, inPlace: 0 }
const plus = (a: GraphTally, b: GraphTally): GraphTally => ({
  graphs: a.graphs + b.graphs,
  kernels: a.kernels + b.kernels,
  elements: a.elements + b.elements,
  checked: a.checked + b.checked,
  inPlace: a.inPlace + b.inPlace,
})

/** Shrinks a graph that fails and says everything about it. */
const report = (
  recipe: GraphRecipe,
  title: string,
  cause: Cause.Cause<unknown>,
): Effect.Effect<GraphFailure, never, Device> =>
  Effect.gen(function* () {
    const fails = (candidate: GraphRecipe) =>
      Effect.map(Effect.exit(Effect.suspend(() => checkGraph(candidate))), Exit.isFailure)
    const small = yield* shrinkGraph(recipe, fails)
    const exit = yield* Effect.exit(Effect.suspend(() => checkGraph(small)))
    const last = Exit.isFailure(exit) ? exit.cause : cause
    const found = Cause.squash(last)
    const problem = found instanceof GraphFailure ? found.problem : Cause.pretty(last)
    // A graph that cannot even be traced has no listing.
    const graph = yield* Effect.try(() => describeGraph(graphProgram(small))).pipe(
      Effect.orElseSucceed(() => JSON.stringify(small)),
    )
    return new GraphFailure({ problem: `${title}: ${problem}`, graph })
  })

/**
 * Checks many random graphs on the current device; the first that fails is shrunk, and the failure
 * holds what is left of it as a list of operations.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import * as Conformance from "@espalier/tensor/conformance"
 *
 * const run = { seed: Conformance.daySeed(), count: 20, repeat: "node check.ts" }
 * const tally = await Effect.runPromise(
 *   Conformance.checkGraphs(run).pipe(Effect.provide(Interpreter.layer)),
 * )
 * console.log(tally.graphs) // 20
 * ```
 */
export const checkGraphs = (run: GraphRun): Effect.Effect<GraphTally, GraphFailure, Device> =>
  Effect.gen(function* () {
    const { seed, count, from = 0, repeat, progress } = run
    const { extents, largest, steps, gradient } = run
    const options: GraphOptions = {
      ...(extents && { extents }),
      ...(largest !== undefined && { largest }),
      ...(steps !== undefined && { steps }),
      ...(gradient !== undefined && { gradient }),
    }
    let tally = noGraphs
    for (let index = from; index < from + count; index++) {
      const recipe = graphOf(seed, index, options)
      const exit = yield* Effect.exit(Effect.suspend(() => checkGraph(recipe)))
      if (Exit.isFailure(exit)) {
        const title = `random graph ${index} of seed ${seed} (again with: ${repeat})`
        return yield* Effect.fail(yield* report(recipe, title, exit.cause))
      }
      tally = plus(tally, exit.value)
      if (progress?.(tally) === false) break
    }
    return tally
  })
