import { Effect } from "effect"
import type { GraphRecipe } from "./graphs.ts"

const without = <A>(list: ReadonlyArray<A>, start: number, count: number): ReadonlyArray<A> => [
  ...list.slice(0, start),
  ...list.slice(start + count),
]

/** Every way to leave a part out, large parts first. */
const reductions = <A>(list: ReadonlyArray<A>, least: number): Array<ReadonlyArray<A>> => {
  const found: Array<ReadonlyArray<A>> = []
  for (let size = Math.ceil(list.length / 2); size >= 1; size = size === 1 ? 0 : size >> 1) {
    for (let start = list.length - size; start > -size; start -= size) {
      const from = Math.max(start, 0)
      const made = without(list, from, size)
      if (made.length >= least && made.length < list.length) found.push(made)
    }
  }
  return found
}

/** Recipes that are a little smaller. */
const smaller = function* (recipe: GraphRecipe): Generator<GraphRecipe> {
  for (const outputs of reductions(recipe.outputs, 1)) yield { ...recipe, outputs }
  for (const steps of reductions(recipe.steps, 0)) yield { ...recipe, steps }
  for (const inputs of reductions(recipe.inputs, 0)) yield { ...recipe, inputs }
  if (recipe.gradient) yield { ...recipe, gradient: false }
  for (const [i, { shape }] of recipe.inputs.entries()) {
    const change = (made: ReadonlyArray<number>): GraphRecipe => ({
      ...recipe,
      inputs: recipe.inputs.with(i, { ...recipe.inputs[i], shape: made }),
    })
    if (shape.length > 0) yield change(shape.slice(1))
    for (const [axis, extent] of shape.entries()) {
      if (extent > 1) yield change(shape.with(axis, Math.ceil(extent / 2)))
    }
  }
  for (const [i, step] of recipe.steps.entries()) {
    const change = (made: typeof step): GraphRecipe => ({
      ...recipe,
      steps: recipe.steps.with(i, made),
    })
    if (step.operands.some((x) => x > 0)) {
      yield change({ ...step, operands: step.operands.map(() => 0) })
    }
    for (const [at, value] of step.numbers.entries()) {
      if (value > 0) yield change({ ...step, numbers: step.numbers.with(at, 0) })
    }
  }
}

/**
 * The smallest recipe found that still fails, by leaving out and making smaller whatever can be;
 * gives up after `tries`.
 */
export const shrinkGraph = <E, R>(
  recipe: GraphRecipe,
  fails: (recipe: GraphRecipe) => Effect.Effect<boolean, E, R>,
  tries = 500,
): Effect.Effect<GraphRecipe, E, R> =>
  Effect.gen(function* () {
    let best = recipe
    let left = tries
    for (let improved = true; improved && left > 0;) {
      improved = false
      for (const candidate of smaller(best)) {
        if (left-- <= 0) break
        if (!(yield* fails(candidate))) continue
        best = candidate
        improved = true
        break
      }
    }
    return best
  })
