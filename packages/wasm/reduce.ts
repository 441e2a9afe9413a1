import { Ir } from "@espalier/tensor"
import { Accumulators, isCommutative } from "./combine.ts"
import type { Template } from "./compile_kernel.ts"
import type { Access } from "./dependencies.ts"
import { access } from "./dependencies.ts"
import type { Bound, KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import { denseIndex, loadsOf, nest, product, splitLoop, vectorCost, weight } from "./loops.ts"
import { blockElements, compileBlocked } from "./reduce_blocks.ts"
import type { Loop, Plan } from "./reduce_folds.ts"
import { finish, foldInLanes, foldInOrder, hoist, loopsOver, vectorLast } from "./reduce_folds.ts"

/** The variable to put in the lanes, and what an element then costs. */
const chooseVector = (
  kernel: Ir.ReduceKernel,
  stores: ReadonlyArray<Access>,
): { readonly vector: number | undefined; readonly cost: number } => {
  const { loops, reduceLoops, elements, combine } = kernel
  const body = weight([...elements, ...combine.result])
  const loads = loadsOf(elements)
  const size = product(reduceLoops)
  let vector: number | undefined
  let cost = 4 * (body + loads.length)
  const consider = (variable: number, candidate: number): void => {
    if (candidate < cost) [vector, cost] = [variable, candidate]
  }
  for (const [variable, extent] of loops.entries()) {
    const store = vectorCost(variable, extent, 0, stores)
    consider(variable, vectorCost(variable, extent, body, loads) + store / size)
  }
  if (isCommutative(combine) || reduceLoops.length === 1) {
    for (const [i, extent] of reduceLoops.entries()) {
      const variable = loops.length + i
      // Folding the lanes at the end takes about a dozen instructions an output.
      consider(variable, vectorCost(variable, extent, body, loads) + (4 * 12) / size)
    }
  }
  return { vector, cost }
}

/** Writes a reduce kernel: the lanes run along a reduce loop, or along an output loop. */
export const compileReduce = (module: KernelModule, source: Ir.ReduceKernel): Template => {
  const collapsed = Ir.collapseLoops(source)
  const { kernel, builder } = collapsed
  const { loops, reduceLoops, outputs, combine } = kernel
  const index = denseIndex(builder, loops)
  const stores = outputs.map((output) => access(output.operand, index))
  const { vector, cost } = chooseVector(kernel, stores)
  const inLanes = vector !== undefined && vector >= loops.length
  const size = product(reduceLoops)
  const few = product(loops) < 8 && size >= 4 * blockElements
  if (few && inLanes && isCommutative(combine)) {
    return compileBlocked(module, collapsed, vector, cost)
  }
  const emitter = module.kernel("reduce", kernel.operands)
  const evaluator = new Evaluator(emitter, vector)
  const values = outputs.map((output) => output.value)
  const plan: Plan = { kernel, emitter, evaluator, stores, values }
  const split = splitLoop(loops)
  const outer = loopsOver(emitter, loops, 0, split)
  const inner = loopsOver(emitter, reduceLoops, loops.length)
  hoist(plan)
  if (vector === undefined || inLanes) {
    nest(
      evaluator,
      outer,
      () => hoist(plan),
      () => {
        let result: Accumulators
        if (vector === undefined) {
          result = new Accumulators(emitter, combine)
          result.reset()
          foldInOrder(plan, inner, result)
        } else result = foldInLanes(plan, vectorLast(inner, vector))
        evaluator.scope(() => finish(plan, result))
      },
    )
  } else {
    const others = outer.filter((loop) => loop.variable !== vector)
    nest(
      evaluator,
      others,
      () => hoist(plan),
      () => {
        const { from, to } = outer.find((loop) => loop.variable === vector)!
        foldColumns(plan, vector, from, to, inner)
      },
    )
  }
  return {
    stages: [
      {
        name: "reduce",
        extent: split === undefined ? 1 : loops[split],
        grain: split === vector && split !== undefined ? 16 : 1,
        partsPerThread: 4,
        work: product(loops) * size * (cost / 4),
      },
    ],
  }
}

/** Reduces with an output loop in the lanes, up to eight vectors of outputs at a time. */
const foldColumns = (
  plan: Plan,
  vector: number,
  from: Bound,
  to: Bound,
  inner: ReadonlyArray<Loop>,
): void => {
  const { evaluator, emitter, kernel } = plan
  const { f } = emitter
  const local = f.local("i32")
  emitter.push(from)
  f.set(local)
  const extent = kernel.loops[vector]
  const widest = kernel.combine.dtypes.length === 1 && extent >= 32 ? 8 : 4
  const width = extent >= 16 && weight(kernel.elements) <= 24 ? widest : 1
  for (const vectors of width > 1 ? [width, 1] : [1]) {
    emitter.loopFrom(local, emitter.wholeSteps(from, to, 4 * vectors), 4 * vectors, () => {
      evaluator.scope(() => {
        const columns = Array.from(
          { length: vectors },
          () => new Accumulators(emitter, kernel.combine),
        )
        for (const column of columns) column.reset()
        evaluator.bindLanes(vector, local)
        hoist(plan)
        const fold = (): void => {
          for (const [u, column] of columns.entries()) {
            evaluator.scope(() => {
              evaluator.bindLanes(vector, local, 1, 4 * u)
              column.add(
                evaluator,
                kernel.elements.map((element) => evaluator.vector(element)),
              )
            })
          }
        }
        nest(evaluator, inner, () => hoist(plan), fold)
        for (const [u, column] of columns.entries()) {
          evaluator.scope(() => {
            evaluator.bindLanes(vector, local, 1, 4 * u)
            finish(plan, column)
          })
        }
      })
    })
  }
  emitter.loopFrom(local, to, 1, () => {
    evaluator.scope(() => {
      evaluator.bind(vector, local)
      const column = new Accumulators(emitter, kernel.combine)
      column.reset()
      foldInOrder(plan, inner, column)
      finish(plan, column)
    })
  })
}
