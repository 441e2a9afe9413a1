import { Ir } from "@espalier/tensor"
import { Accumulators, isCommutative } from "./combine.ts"
import type { Template } from "./compile_kernel.ts"
import type { Access } from "./dependencies.ts"
import { access } from "./dependencies.ts"
import type { KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import { cheapestLoop, loadsOf, nest, product, vectorLoop, weight } from "./loops.ts"
import type { Loop, Plan } from "./reduce_folds.ts"
import { finish, foldInLanes, foldInOrder, hoist, vectorLast } from "./reduce_folds.ts"

const alignment = 16

/** Where the outputs of a stage go: operands at the place of the row, locals at its start. */
const storesOf = (
  kernel: Ir.RowsKernel,
  stage: Ir.RowStage,
  builder: Ir.ExpressionBuilder,
): ReadonlyArray<Access> => {
  const { loops, operands } = kernel
  const variable = (extent: number, index: number) => builder.variable(index, extent)
  const outer = loops.map(variable)
  const inner = stage.loops.map((extent, i) => variable(extent, loops.length + i))
  const row = builder.linearize(inner, stage.loops)
  const whole = builder.linearize([...outer, ...inner], [...loops, ...stage.loops])
  return stage.outputs.map(({ operand }) =>
    access(operand, operand < operands.length ? whole : row),
  )
}

/** Expressions of one stage in a builder that goes on making more of them. */
const rebuilt = (kernel: Ir.RowsKernel, stage: Ir.RowStage): Ir.Collapsed<Ir.RowStage> =>
  Ir.substitute(stage, (builder) =>
    Ir.stageExtents(kernel, stage).map((extent, index) => builder.variable(index, extent)),
  )

/** One stage of one row. */
interface RowPart {
  readonly stage: Ir.RowStage
  readonly stores: ReadonlyArray<Access>
  readonly outer: number
}

/** The loop to put in the lanes among those that may be. */
const cheapest = (
  loops: ReadonlyArray<Loop & { readonly extent: number }>,
  body: number,
  accesses: ReadonlyArray<Access>,
): number | undefined => cheapestLoop(loops, body, accesses, 4 * (body + accesses.length))?.variable

const loopsFrom = (extents: ReadonlyArray<number>, first: number) =>
  extents.map((extent, i) => ({ variable: first + i, from: 0, to: extent, extent }))

const writeMap = (
  evaluator: Evaluator,
  { stage, stores, outer }: RowPart,
  dtypes: ReadonlyArray<Ir.Operand["dtype"]>,
): void => {
  const roots = stage.outputs.map((output) => output.value)
  const body = weight(roots)
  const loops = loopsFrom(stage.loops, outer)
  const vector = cheapest(loops, body, [...loadsOf(roots), ...stores])
  const inner = evaluator.fork(vector)
  const prepare = (): void => {
    inner.hoist(roots)
    for (const target of stores) inner.hoistAccess(target)
  }
  const write = (): void => {
    const values = roots.map((root) => inner.vector(root))
    for (const [i, target] of stores.entries()) inner.store(target, dtypes[i], values[i])
  }
  prepare()
  const others = loops.filter((loop) => loop.variable !== vector)
  nest(inner, others, prepare, () => {
    const along = loops.find((loop) => loop.variable === vector)
    if (along === undefined) {
      inner.scope(write)
      return
    }
    const unroll = body <= 12 && along.extent >= 32 ? 4 : body <= 60 && along.extent >= 16 ? 2 : 1
    vectorLoop(inner, along.variable, 0, along.extent, unroll, roots, stores, write)
  })
}

const writeReduce = (
  evaluator: Evaluator,
  { stage, stores, outer }: RowPart & { readonly stage: Extract<Ir.RowStage, { kind: "reduce" }> },
  operands: ReadonlyArray<Ir.Operand>,
): void => {
  const { emitter } = evaluator
  const first = outer + stage.loops.length
  const folded = loopsFrom(stage.reduceLoops, first)
  const body = weight([...stage.elements, ...stage.combine.result])
  const vector =
    isCommutative(stage.combine) || folded.length === 1
      ? cheapest(folded, body, loadsOf(stage.elements))
      : undefined
  const inner = evaluator.fork(vector)
  const plan: Plan = {
    kernel: { ...stage, operands },
    emitter,
    evaluator: inner,
    stores,
    values: stage.outputs.map((output) => output.value),
  }
  hoist(plan)
  nest(
    inner,
    loopsFrom(stage.loops, outer),
    () => hoist(plan),
    () => {
      let result: Accumulators
      if (vector === undefined) {
        result = new Accumulators(emitter, stage.combine)
        result.reset()
        foldInOrder(plan, folded, result)
      } else result = foldInLanes(plan, vectorLast(folded, vector))
      inner.scope(() => finish(plan, result))
    },
  )
}

/** Writes a rows kernel: one loop over the rows, which threads share, with the stages inside. */
export const compileRows = (module: KernelModule, kernel: Ir.RowsKernel): Template => {
  const { loops, operands, locals, stages } = kernel
  const emitter = module.kernel("rows", operands)
  let scratchBytes = 0
  for (const { length } of locals) {
    emitter.addLocal(scratchBytes)
    scratchBytes += Math.ceil((4 * length) / alignment) * alignment
  }
  const all: ReadonlyArray<Ir.Operand> = [
    ...operands,
    ...locals.map((local) => ({ ...local, access: "write" as const })),
  ]
  const evaluator = new Evaluator(emitter, undefined)
  const split = loops.indexOf(Math.max(...loops))
  const rows = loops.map((extent, variable) => ({
    variable,
    from: variable === split ? emitter.start : 0,
    to: variable === split ? emitter.end : extent,
  }))
  nest(
    evaluator,
    rows,
    () => undefined,
    () => {
      for (const given of stages) {
        const { kernel: stage, builder } = rebuilt(kernel, given)
        const part = { stage, stores: storesOf(kernel, stage, builder), outer: loops.length }
        if (stage.kind === "reduce") writeReduce(evaluator, { ...part, stage }, all)
        else {
          const dtypes = stage.outputs.map(({ operand }) => all[operand].dtype)
          evaluator.scope(() => writeMap(evaluator, part, dtypes))
        }
      }
    },
  )
  const work = stages.reduce((total, stage) => {
    const extents = Ir.stageExtents(kernel, stage)
    return total + (product(extents) * (weight(Ir.roots(stage)) + 2)) / 4
  }, 0)
  return {
    stages: [
      {
        name: "rows",
        extent: split < 0 ? 1 : loops[split],
        grain: 1,
        partsPerThread: 4,
        work,
      },
    ],
    scratchBytes: Math.max(alignment, scratchBytes),
  }
}
