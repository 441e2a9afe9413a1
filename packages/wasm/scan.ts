import { Ir } from "@espalier/tensor"
import { Accumulators } from "./combine.ts"
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

/** Writes a scan kernel: in order along the axis, rows in the lanes. */
export const compileScan = (module: KernelModule, source: Ir.ScanKernel): ReadonlyArray<Stage> => {
  const { kernel, builder } = Ir.collapseLoops(source)
  const { loops, length, elements, combine, outputs } = kernel
  const values = outputs.map((output) => output.value)
  const index = denseIndex(builder, [...loops, length])
  const stores = outputs.map((output) => access(output.operand, index))
  const body = weight([...elements, ...combine.result, ...values])
  const accesses = [...loadsOf([...elements, ...values]), ...stores]
  let vector: number | undefined
  let cheapest = 4 * (body + accesses.length)
  for (const [variable, extent] of loops.entries()) {
    const cost = vectorCost(variable, extent, body, accesses)
    if (cost < cheapest) [vector, cheapest] = [variable, cost]
  }
  const emitter = module.kernel("scan", kernel.operands)
  const evaluator = new Evaluator(emitter, vector)
  const split = splitLoop(loops)
  const hoist = (): void => {
    evaluator.hoist([...elements, ...values])
    for (const target of stores) evaluator.hoistAccess(target)
  }
  const along = (): void => {
    const running = new Accumulators(emitter, combine)
    running.reset()
    emitter.loop(0, length, 1, (position) => {
      evaluator.scope(() => {
        evaluator.bind(loops.length, position)
        running.add(
          evaluator,
          elements.map((element) => evaluator.vector(element)),
        )
        running.bind(evaluator)
        const results = values.map((value) => evaluator.vector(value))
        for (const [i, target] of stores.entries()) {
          evaluator.store(target, kernel.operands[target.operand].dtype, results[i])
        }
      })
    })
  }
  const outer = loops.flatMap((extent, variable) =>
    variable === vector ? [] : [{ variable, ...boundsOf(emitter, variable, split, extent) }],
  )
  hoist()
  nest(evaluator, outer, hoist, () => {
    if (vector === undefined) along()
    else {
      const { from, to } = boundsOf(emitter, vector, split, loops[vector])
      vectorLoop(evaluator, vector, from, to, 1, [...elements, ...values], stores, along)
    }
  })
  return [
    {
      name: "scan",
      extent: split === undefined ? 1 : loops[split],
      grain: split !== undefined && split === vector ? 4 : 1,
      partsPerThread: 4,
      work: product(loops) * length * (cheapest / 4),
    },
  ]
}
