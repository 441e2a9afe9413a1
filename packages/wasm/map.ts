import { Ir } from "@espalier/tensor"
import { access } from "./dependencies.ts"
import type { Bound, KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import type { Stage } from "./loops.ts"
import {
  boundsOf,
  cheapestLoop,
  denseIndex,
  loadsOf,
  nest,
  product,
  splitLoop,
  vectorLoop,
  weight,
} from "./loops.ts"
import { findTransposition, transposedLoops } from "./map_transposed.ts"

/** Heavier expressions hide the price of strided loads, and would be written many times. */
const heaviestTransposed = 40

/** Writes a map kernel: all loops but one around a vectorised innermost loop. */
export const compileMap = (module: KernelModule, source: Ir.MapKernel): ReadonlyArray<Stage> => {
  const { kernel, builder } = Ir.collapseLoops(source)
  const { loops, outputs } = kernel
  const roots = outputs.map((output) => output.value)
  const index = denseIndex(builder, loops)
  const stores = outputs.map((output) => access(output.operand, index))
  const body = weight(roots)
  const accesses = [...loadsOf(roots), ...stores]
  const sized = loops.map((extent, variable) => ({ variable, extent }))
  const cheapest = cheapestLoop(sized, body, accesses, Infinity)
  const vector = cheapest?.variable
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
  const transposition =
    vector === undefined || body > heaviestTransposed
      ? undefined
      : findTransposition(roots, loops, vector)
  const inner = [vector, transposition?.across]
  const outer = loops.flatMap((extent, variable) =>
    inner.includes(variable) ? [] : [{ variable, ...boundsOf(emitter, variable, split, extent) }],
  )
  const side = (variable: number) => ({
    variable,
    ...boundsOf(emitter, variable, split, loops[variable]),
  })
  hoist()
  nest(evaluator, outer, hoist, () => {
    if (vector === undefined) return write()
    const plain = (from: Bound, to: Bound): void => {
      const unroll = body <= 12 && loops[vector] >= 32 ? 4 : 1
      vectorLoop(evaluator, vector, from, to, unroll, roots, stores, write)
    }
    const along = side(vector)
    if (transposition === undefined) plain(along.from, along.to)
    else {
      const sides = [side(transposition.across), along] as const
      transposedLoops(evaluator, transposition, sides, roots, stores, write, plain)
    }
  })
  return [
    {
      name: "map",
      extent: split === undefined ? 1 : loops[split],
      grain: split === vector ? 64 : split === transposition?.across ? 16 : 1,
      partsPerThread: 4,
      work: product(loops) * (cheapest === undefined ? 1 : cheapest.cost / 4),
    },
  ]
}
