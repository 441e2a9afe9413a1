import type { Ir } from "@espalier/tensor"
import { Accumulators, isCommutative } from "./combine.ts"
import type { Template } from "./compile_kernel.ts"
import type { Access } from "./dependencies.ts"
import { access } from "./dependencies.ts"
import type { Bound, Emitter, KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import {
  boundsOf,
  denseIndex,
  loadsOf,
  nest,
  product,
  splitLoop,
  vectorCost,
  weight,
} from "./loops.ts"
import { simplify } from "./simplify.ts"

/** Reductions to few outputs are cut into blocks of about so many elements, whatever the threads. */
const blockElements = 16384

interface Plan {
  readonly kernel: Ir.ReduceKernel
  readonly emitter: Emitter
  readonly evaluator: Evaluator
  readonly stores: ReadonlyArray<Access>
  readonly values: ReadonlyArray<Ir.Expression>
}

const hoist = ({ evaluator, kernel, values, stores }: Plan): void => {
  evaluator.hoist([...kernel.elements, ...values])
  for (const target of stores) evaluator.hoistAccess(target)
}

/** Writes the outputs of one point (or one vector of points) from its accumulators. */
const finish = (plan: Plan, accumulators: Accumulators): void => {
  const { evaluator, kernel, values, stores } = plan
  accumulators.bind(evaluator)
  const results = values.map((value) => evaluator.vector(value))
  for (const [i, target] of stores.entries()) {
    evaluator.store(target, kernel.operands[target.operand]!.dtype, results[i]!)
  }
}

type Loop = { readonly variable: number; readonly from: Bound; readonly to: Bound }

/** Folds over `loops`, one element after the other. */
const foldInOrder = (plan: Plan, loops: ReadonlyArray<Loop>, into: Accumulators): void => {
  const { evaluator, kernel } = plan
  nest(evaluator, loops, () => hoist(plan), () => {
    evaluator.scope(() => {
      into.add(evaluator, kernel.elements.map((element) => evaluator.vector(element)))
    })
  })
}

/**
 * Folds with the last of `loops` in the lanes. A commutative combination takes neighbouring elements
 * into the lanes of several accumulators; any other gets four stretches in order, a lane each.
 */
const foldInLanes = (plan: Plan, loops: ReadonlyArray<Loop>): Accumulators => {
  const { evaluator, emitter, kernel } = plan
  const { elements, combine } = kernel
  const inner = loops.at(-1)!
  const total = new Accumulators(emitter, combine)
  const add = (into: Accumulators): void => {
    evaluator.scope(() => {
      into.add(evaluator, elements.map((element) => evaluator.vector(element)))
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
  nest(evaluator, loops.slice(0, -1), () => hoist(plan), () => {
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
              add(lanes[position]!)
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
  })
  for (let width = unroll / 2; width >= 1; width /= 2) {
    for (let i = 0; i < width; i++) lanes[i]!.add(evaluator, lanes[i + width]!.locals)
  }
  lanes[0]!.foldLanes(evaluator)
  lanes[0]!.add(evaluator, total.locals)
  return lanes[0]!
}

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

const loopsOver = (
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
const vectorLast = (loops: ReadonlyArray<Loop>, vector: number): ReadonlyArray<Loop> => [
  ...loops.filter((loop) => loop.variable !== vector),
  ...loops.filter((loop) => loop.variable === vector),
]

/** Reduction to few outputs: blocks of the first reduce loop to partial results, then those in order. */
const compileBlocked = (
  module: KernelModule,
  { kernel, builder }: { kernel: Ir.ReduceKernel; builder: Ir.ExpressionBuilder },
  vector: number,
  cost: number,
): Template => {
  const { loops, reduceLoops, combine, outputs } = kernel
  const tuple = combine.dtypes.length
  const first = loops.length
  const rowElements = product(reduceLoops.slice(1))
  const rows = Math.max(16, 16 * Math.ceil(blockElements / rowElements / 16))
  const blocks = Math.ceil(reduceLoops[0]! / rows)
  const points = product(loops)
  const partialAddress = (emitter: Emitter, evaluator: Evaluator, block: number): void => {
    const { f } = emitter
    f.get(emitter.shared)
    f.get(evaluator.scalar(denseIndex(builder, loops))).i32(blocks).op("i32.mul").get(block)
    f.op("i32.add").i32(4 * tuple).op("i32.mul").op("i32.add")
  }
  {
    const emitter = module.kernel("reduce-blocks", kernel.operands)
    const evaluator = new Evaluator(emitter, vector)
    const plan: Plan = { kernel, emitter, evaluator, stores: [], values: [] }
    hoist(plan)
    nest(evaluator, loopsOver(emitter, loops, 0), () => hoist(plan), () => {
      emitter.loop(emitter.start, emitter.end, 1, (block) => {
        const { f } = emitter
        const [from, to] = [f.local("i32"), f.local("i32")]
        f.get(block).i32(rows).op("i32.mul").tee(from).i32(rows).op("i32.add").tee(to)
        f.i32(reduceLoops[0]!).get(to).i32(reduceLoops[0]!).op("i32.lt_s").op("select").set(to)
        evaluator.scope(() => {
          const inner = loopsOver(emitter, reduceLoops, first).map((loop) =>
            loop.variable === first ? { ...loop, from: { local: from }, to: { local: to } } : loop,
          )
          const result = foldInLanes(plan, vectorLast(inner, vector))
          for (const [slot, local] of result.locals.entries()) {
            partialAddress(emitter, evaluator, block)
            f.get(local).memoryLane("v128.store32_lane", 0, 4 * slot)
          }
        })
      })
    })
  }
  {
    const emitter = module.kernel("reduce-finish", kernel.operands)
    const evaluator = new Evaluator(emitter, undefined)
    const index = denseIndex(builder, loops)
    const plan: Plan = {
      kernel: { ...kernel, elements: [] },
      emitter,
      evaluator,
      stores: outputs.map((output) => access(output.operand, index)),
      values: outputs.map((output) => output.value),
    }
    nest(evaluator, loopsOver(emitter, loops, 0), () => hoist(plan), () => {
      const total = new Accumulators(emitter, combine)
      total.reset()
      emitter.loop(0, blocks, 1, (block) => {
        evaluator.scope(() => {
          const partial = combine.dtypes.map((_, slot) => {
            partialAddress(emitter, evaluator, block)
            emitter.f.memory("v128.load32_splat", 4 * slot)
            return emitter.keep("v128")
          })
          total.add(evaluator, partial)
        })
      })
      evaluator.scope(() => finish(plan, total))
    })
  }
  const work = points * product(reduceLoops) * (cost / 4)
  return {
    stages: [
      { name: "reduce-blocks", extent: blocks, grain: 1, partsPerThread: 4, work },
      { name: "reduce-finish", extent: 1, grain: 1, partsPerThread: 1, work: points * blocks },
    ],
    sharedBytes: points * blocks * tuple * 4,
  }
}

/** Writes a reduce kernel: the lanes run along a reduce loop, or along an output loop. */
export const compileReduce = (module: KernelModule, source: Ir.ReduceKernel): Template => {
  const simplified = simplify(source)
  const { kernel, builder } = simplified
  const { loops, reduceLoops, outputs, combine } = kernel
  const index = denseIndex(builder, loops)
  const stores = outputs.map((output) => access(output.operand, index))
  const { vector, cost } = chooseVector(kernel, stores)
  const inLanes = vector !== undefined && vector >= loops.length
  const size = product(reduceLoops)
  const few = product(loops) < 8 && size >= 4 * blockElements
  if (few && inLanes && isCommutative(combine)) {
    return compileBlocked(module, simplified, vector, cost)
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
    nest(evaluator, outer, () => hoist(plan), () => {
      let result: Accumulators
      if (vector === undefined) {
        result = new Accumulators(emitter, combine)
        result.reset()
        foldInOrder(plan, inner, result)
      } else result = foldInLanes(plan, vectorLast(inner, vector))
      evaluator.scope(() => finish(plan, result))
    })
  } else {
    const others = outer.filter((loop) => loop.variable !== vector)
    nest(evaluator, others, () => hoist(plan), () => {
      const { from, to } = outer.find((loop) => loop.variable === vector)!
      foldColumns(plan, vector, from, to, inner)
    })
  }
  return {
    stages: [
      {
        name: "reduce",
        extent: split === undefined ? 1 : loops[split]!,
        grain: split === vector && split !== undefined ? 16 : 1,
        partsPerThread: 4,
        work: product(loops) * size * (cost / 4),
      },
    ],
  }
}

/** Reduces with an output loop in the lanes, up to four vectors of outputs at a time. */
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
  const width = kernel.loops[vector]! >= 16 && weight(kernel.elements) <= 24 ? 4 : 1
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
              column.add(evaluator, kernel.elements.map((element) => evaluator.vector(element)))
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
