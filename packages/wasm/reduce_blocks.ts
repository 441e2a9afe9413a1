import type { Ir } from "@espalier/tensor"
import { Accumulators } from "./combine.ts"
import type { Template } from "./compile_kernel.ts"
import { access } from "./dependencies.ts"
import type { Emitter, KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import { denseIndex, nest, product } from "./loops.ts"
import type { Plan } from "./reduce_folds.ts"
import { finish, foldInLanes, hoist, loopsOver, vectorLast } from "./reduce_folds.ts"

/** Reductions to few outputs are cut into blocks of about so many elements, whatever the threads. */
export const blockElements = 16384

/** Reduction to few outputs: blocks of the first reduce loop to partial results, then those in order. */
export const compileBlocked = (
  module: KernelModule,
  { kernel, builder }: Ir.Collapsed<Ir.ReduceKernel>,
  vector: number,
  cost: number,
): Template => {
  const { loops, reduceLoops, combine, outputs } = kernel
  const tuple = combine.dtypes.length
  const first = loops.length
  const rowElements = product(reduceLoops.slice(1))
  const rows = Math.max(16, 16 * Math.ceil(blockElements / rowElements / 16))
  const blocks = Math.ceil(reduceLoops[0] / rows)
  const points = product(loops)
  const partialAddress = (emitter: Emitter, evaluator: Evaluator, block: number): void => {
    const { f } = emitter
    f.get(emitter.shared)
    f.get(evaluator.scalar(denseIndex(builder, loops)))
      .i32(blocks)
      .op("i32.mul")
      .get(block)
    f.op("i32.add")
      .i32(4 * tuple)
      .op("i32.mul")
      .op("i32.add")
  }
  {
    const emitter = module.kernel("reduce-blocks", kernel.operands)
    const evaluator = new Evaluator(emitter, vector)
    const plan: Plan = { kernel, emitter, evaluator, stores: [], values: [] }
    hoist(plan)
    nest(
      evaluator,
      loopsOver(emitter, loops, 0),
      () => hoist(plan),
      () => {
        emitter.loop(emitter.start, emitter.end, 1, (block) => {
          const { f } = emitter
          const [from, to] = [f.local("i32"), f.local("i32")]
          f.get(block).i32(rows).op("i32.mul").tee(from).i32(rows).op("i32.add").tee(to)
          f.i32(reduceLoops[0]).get(to).i32(reduceLoops[0]).op("i32.lt_s").op("select").set(to)
          evaluator.scope(() => {
            const inner = loopsOver(emitter, reduceLoops, first).map((loop) =>
              loop.variable === first
                ? { ...loop, from: { local: from }, to: { local: to } }
                : loop,
            )
            const result = foldInLanes(plan, vectorLast(inner, vector))
            for (const [slot, local] of result.locals.entries()) {
              partialAddress(emitter, evaluator, block)
              f.get(local).memoryLane("v128.store32_lane", 0, 4 * slot)
            }
          })
        })
      },
    )
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
    nest(
      evaluator,
      loopsOver(emitter, loops, 0),
      () => hoist(plan),
      () => {
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
      },
    )
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
