import { Ir } from "@espalier/tensor"
import { access } from "./dependencies.ts"
import type { KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import type { Stage } from "./loops.ts"
import {
  boundsOf,
  denseIndex,
  loadsOf,
  nest,
  product,
  splitLoop,
  vectorCost,
  vectorLoop,
  weight,
} from "./loops.ts"

/** Writes a map kernel: all loops but one around a vectorised innermost loop. */
export const compileMap = (module: KernelModule, source: Ir.MapKernel): ReadonlyArray<Stage> => {
  const { kernel, builder } = Ir.collapseLoops(source)
  const { loops, outputs } = kernel
  const roots = outputs.map((output) => output.value)
  const index = denseIndex(builder, loops)
  const stores = outputs.map((output) => access(output.operand, index))
  const body = weight(roots)
  const accesses = [...loadsOf(roots), ...stores]
  let vector: number | undefined
  let cheapest = Infinity
  for (const [variable, extent] of loops.entries()) {
    const cost = vectorCost(variable, extent, body, accesses)
    if (cost <= cheapest) [vector, cheapest] = [variable, cost]
  }
  const emitter = module.kernel("map", kernel.operands)
  const evaluator = new Evaluator(emitter, vector)
  const split = splitLoop(loops)
  const hoist = (): void => {
    evaluator.hoist(roots)
    for (const target of stores) evaluator.hoistAccess(target)
  }
  const write = (): void => {
    const values = roots.map((root) => evaluator.vector(root))
    for (const [i, target] of stores.entries()) {
      evaluator.store(target, kernel.operands[target.operand].dtype, values[i])
    }
  }
  const outer = loops.flatMap((extent, variable) =>
    variable === vector ? [] : [{ variable, ...boundsOf(emitter, variable, split, extent) }],
  )
  hoist()
  nest(evaluator, outer, hoist, () => {
    if (vector === undefined) write()
    else {
      const { from, to } = boundsOf(emitter, vector, split, loops[vector])
      const unroll = body <= 12 && loops[vector] >= 32 ? 4 : 1
      vectorLoop(evaluator, vector, from, to, unroll, roots, stores, write)
    }
  })
  return [
    {
      name: "map",
      extent: split === undefined ? 1 : loops[split],
      grain: split === vector ? 64 : 1,
      partsPerThread: 4,
      work: product(loops) * (vector === undefined ? 1 : cheapest / 4),
    },
  ]
}
