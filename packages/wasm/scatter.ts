import { Ir } from "@espalier/tensor"
import { access } from "./dependencies.ts"
import type { Bound, KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import type { Stage } from "./loops.ts"
import { vectorLoop, weight } from "./loops.ts"

/**
 * Rows at least this wide are shared between threads by columns. Narrower ones are left to one
 * thread: to look at every update and leave most of them out takes longer than to write them.
 */
const wideRow = 32

/** Writes a scatter kernel: every thread goes through all updates and writes its columns of the output. */
export const compileScatter = (
  module: KernelModule,
  source: Ir.ScatterKernel,
): ReadonlyArray<Stage> => {
  const { kernel, builder } = Ir.collapseLoops(source)
  const { updates, rows, inner, row, value, mode, initial } = kernel
  const output = kernel.outputs[0].operand
  const { dtype } = kernel.operands[output]
  const emitter = module.kernel("scatter", kernel.operands)
  const { f } = emitter
  const byColumns = inner >= wideRow
  const whole = { from: 0 as Bound, to: inner as Bound }
  const columns = byColumns ? { from: emitter.start, to: emitter.end } : whole

  /** Copies or clears `length` elements from element `from` (both on the stack as bytes). */
  const initialise = (firstByte: () => void, bytes: () => void): void => {
    f.get(emitter.base(output))
    firstByte()
    f.op("i32.add")
    if (initial === undefined) {
      f.i32(0)
      bytes()
      f.memoryFill()
    } else {
      f.get(emitter.base(initial))
      firstByte()
      f.op("i32.add")
      bytes()
      f.memoryCopy()
    }
  }
  const scaled = (bound: Bound, factor: number): void => {
    emitter.push(bound)
    f.i32(4 * factor).op("i32.mul")
  }
  const extent = (factor: number): void => {
    emitter.push(emitter.end)
    emitter.push(emitter.start)
    f.op("i32.sub")
      .i32(4 * factor)
      .op("i32.mul")
  }
  const start = (): void => {
    if (!byColumns) {
      initialise(
        () => scaled(emitter.start, inner),
        () => extent(inner),
      )
      return
    }
    emitter.loop(0, rows, 1, (r) => {
      initialise(
        () => {
          f.get(r).i32(inner).op("i32.mul")
          emitter.push(emitter.start)
          f.op("i32.add").i32(4).op("i32.mul")
        },
        () => extent(1),
      )
    })
  }
  if (initial === undefined) start()
  else f.get(emitter.base(initial)).get(emitter.base(output)).op("i32.ne").if(start)

  const vector = inner >= 4 ? 1 : undefined
  const evaluator = new Evaluator(emitter, vector)
  const column = builder.variable(1, inner)
  const index = builder.add(builder.multiply(row, inner), column)
  const target = access(output, index)
  const stored =
    mode === "set" ? value : builder.binary("add", builder.load(output, index, dtype), value)
  evaluator.hoist([row, value])
  emitter.loop(0, updates, 1, (t) => {
    evaluator.scope(() => {
      evaluator.bind(0, t)
      const place = row.kind === "constant" ? undefined : evaluator.scalar(row)
      const pushRow = (): void => {
        if (place === undefined && row.kind === "constant") f.i32(row.value)
        else f.get(place!)
      }
      pushRow()
      f.i32(rows).op("i32.lt_u")
      f.if(() => {
        evaluator.scope(() => {
          evaluator.hoist([stored])
          evaluator.hoistAccess(target)
          const write = (): void => evaluator.store(target, dtype, evaluator.vector(stored))
          if (vector === undefined) {
            emitter.loop(0, inner, 1, (d) => {
              evaluator.scope(() => {
                evaluator.bind(1, d)
                write()
              })
            })
          } else {
            const roots = [stored]
            vectorLoop(evaluator, vector, columns.from, columns.to, 1, roots, [target], write)
          }
        })
      })
    })
  })
  return [
    {
      name: "scatter",
      extent: byColumns ? inner : rows,
      grain: byColumns ? 16 : rows,
      partsPerThread: 1,
      work: (updates * inner * (weight([value]) + 4)) / 4 + rows * inner * 0.5,
    },
  ]
}
