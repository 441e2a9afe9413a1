import type { Ir } from "@espalier/tensor"
import { Accumulators, isCommutative } from "./combine.ts"
import type { Access } from "./dependencies.ts"
import type { Bound, Emitter } from "./emitter.ts"
import type { Evaluator } from "./expression_compiler.ts"
import { boundsOf, nest, weight } from "./loops.ts"

/** A reduction being written. */
export interface Plan {
  readonly kernel: Ir.ReduceKernel
  readonly emitter: Emitter
  readonly evaluator: Evaluator
  readonly stores: ReadonlyArray<Access>
  readonly values: ReadonlyArray<Ir.Expression>
}

/** Hoists what the elements and outputs need. */
export const hoist = ({ evaluator, kernel, values, stores }: Plan): void => {
  evaluator.hoist([...kernel.elements, ...values])
  for (const target of stores) evaluator.hoistAccess(target)
}

/** Writes the outputs of one point (or one vector of points) from its accumulators. */
export const finish = (plan: Plan, accumulators: Accumulators): void => {
  const { evaluator, kernel, values, stores } = plan
  accumulators.bind(evaluator)
  const results = values.map((value) => evaluator.vector(value))
  for (const [i, target] of stores.entries()) {
    evaluator.store(target, kernel.operands[target.operand].dtype, results[i])
  }
}

/** A loop and its bounds. */
export type Loop = { readonly variable: number; readonly from: Bound; readonly to: Bound }

/** Folds over `loops`, one element after the other. */
export const foldInOrder = (plan: Plan, loops: ReadonlyArray<Loop>, into: Accumulators): void => {
  const { evaluator, kernel } = plan
  nest(
    evaluator,
    loops,
    () => hoist(plan),
    () => {
      evaluator.scope(() => {
        into.add(
          evaluator,
          kernel.elements.map((element) => evaluator.vector(element)),
        )
      })
    },
  )
}

/**
 * Folds with the last of `loops` in the lanes. A commutative combination takes neighbouring elements
 * into the lanes of several accumulators; any other gets four stretches in order, a lane each.
 */
export const foldInLanes = (plan: Plan, loops: ReadonlyArray<Loop>): Accumulators => {
  const { evaluator, emitter, kernel } = plan
  const { elements, combine } = kernel
  const inner = loops.at(-1)!
  const total = new Accumulators(emitter, combine)
  const add = (into: Accumulators): void => {
    evaluator.scope(() => {
      into.add(
        evaluator,
        elements.map((element) => evaluator.vector(element)),
      )
    })
  }
  if (!isCommutative(combine)) {
    if (loops.length > 1 || typeof inner.from !== "number" || typeof inner.to !== "number") {
      throw new Error("an ordered fold has one loop of known length")
    }
    const stretch = Math.floor((inner.to - inner.from) / 4)
    total.reset()
    emitter.loop(inner.from, inner.from + stretch, 1, (local) => {
      evaluator.scope(() => {
        evaluator.bindLanes(inner.variable, local, stretch)
        add(total)
      })
    })
    total.foldLanes(evaluator)
    emitter.loop(inner.from + 4 * stretch, inner.to, 1, (local) => {
      evaluator.scope(() => {
        evaluator.bind(inner.variable, local)
        add(total)
      })
    })
    return total
  }
  const unroll = weight(elements) <= 24 ? 4 : 2
  const lanes = Array.from({ length: unroll }, () => new Accumulators(emitter, combine))
  for (const accumulators of [total, ...lanes]) accumulators.reset()
  nest(
    evaluator,
    loops.slice(0, -1),
    () => hoist(plan),
    () => {
      let position = 0
      let vectors = unroll
      const main = emitter.wholeSteps(inner.from, inner.to, 4 * unroll)
      const rounds = emitter.wholeSteps(inner.from, inner.to, 4)
      const local = emitter.f.local("i32")
      emitter.push(inner.from)
      emitter.f.set(local)
      for (const bound of [main, rounds]) {
        emitter.loopFrom(local, bound, 4 * vectors, () => {
          evaluator.scope(() => {
            evaluator.bindLanes(inner.variable, local)
            evaluator.hoist(elements)
            for (position = 0; position < vectors; position++) {
              evaluator.scope(() => {
                evaluator.bindLanes(inner.variable, local, 1, 4 * position)
                add(lanes[position])
              })
            }
          })
        })
        vectors = 1
      }
      emitter.loopFrom(local, inner.to, 1, () => {
        evaluator.scope(() => {
          evaluator.bind(inner.variable, local)
          add(total)
        })
      })
    },
  )
  for (let width = unroll / 2; width >= 1; width /= 2) {
    for (let i = 0; i < width; i++) lanes[i].add(evaluator, lanes[i + width].locals)
  }
  lanes[0].foldLanes(evaluator)
  lanes[0].add(evaluator, total.locals)
  return lanes[0]
}

/** The loops over some variables of a kernel, the shared one bounded by the part. */
export const loopsOver = (
  emitter: Emitter,
  extents: ReadonlyArray<number>,
  first: number,
  split?: number,
): ReadonlyArray<Loop> =>
  extents.map((extent, i) => ({
    variable: first + i,
    ...boundsOf(emitter, first + i, split, extent),
  }))

/** Puts the loop of the vector variable last. */
export const vectorLast = (loops: ReadonlyArray<Loop>, vector: number): ReadonlyArray<Loop> => [
  ...loops.filter((loop) => loop.variable !== vector),
  ...loops.filter((loop) => loop.variable === vector),
]
