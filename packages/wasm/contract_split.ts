import type { Template } from "./compile_kernel.ts"
import type { Product } from "./contract.ts"
import { accumulate, keepRows } from "./contract_accumulate.ts"
import { blockEnd, hoistOutputs, writeOutputs } from "./contract_parts.ts"
import { padded } from "./contract_plan.ts"
import type { KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import { vectorLoop, weight } from "./loops.ts"

/** Columns whose sums stay in the first-level cache while rows of the matrix go by. */
const columnBlock = 2048

/** Matrices of at least this many elements come from memory, which is fastest in long stretches. */
const leastElements = 2 ** 18

const mostChunks = 16

/** True where the inner dimension is better shared between threads than the columns. */
export const splits = ({ batch, columns, inner }: Product): boolean =>
  batch.length === 0 && inner.extent >= 256 && columns.extent * inner.extent >= leastElements

/**
 * A few rows times a matrix whose columns lie side by side. Each thread reads whole rows of the matrix,
 * one stretch of memory, and keeps sums of its own for every chunk of rows; a second stage adds the
 * chunks up, in order. Chunks do not depend on the number of threads, and so neither do results.
 */
export const compileSplit = (module: KernelModule, product: Product): Template => {
  const { kernel, rows, columns, inner } = product
  const chunk = Math.max(64, padded(inner.extent / mostChunks, 8))
  const chunks = Math.ceil(inner.extent / chunk)
  const across = padded(columns.extent, 4)
  const chunkBytes = 4 * rows.extent * across
  const stride = padded(inner.extent, 4)

  const adder = module.kernel("multiply", kernel.operands)
  const reader = new Evaluator(adder, undefined)
  keepRows(adder, reader, product, stride, { from: adder.start, to: adder.end })
  adder.loop(adder.start, adder.end, chunk, (start) => {
    const steps = {
      from: { local: start },
      to: { local: blockEnd(adder, start, chunk, adder.end) },
    }
    const { f } = adder
    f.get(start).i32(chunk).op("i32.div_u").i32(chunkBytes).op("i32.mul")
    f.get(adder.shared).op("i32.add")
    const sums = { origin: adder.keep("i32"), across }
    f.get(sums.origin).i32(0).i32(chunkBytes).memoryFill()
    adder.loop(0, columns.extent, columnBlock, (from) => {
      const block = {
        from: { local: from },
        to: { local: blockEnd(adder, from, columnBlock, columns.extent) },
      }
      accumulate(adder, reader, product, stride, sums, block, steps)
    })
  })

  const finisher = module.kernel("finish", kernel.operands)
  for (let row = 0; row < rows.extent; row++) {
    const writer = new Evaluator(finisher, columns.variable)
    const { f } = finisher
    if (rows.extent > 1) {
      f.i32(row)
      writer.bind(rows.variable, finisher.keep("i32"))
    }
    hoistOutputs(writer, product)
    const { values, stores } = product
    vectorLoop(
      writer,
      columns.variable,
      finisher.start,
      finisher.end,
      1,
      values,
      stores,
      (place) => {
        f.get(finisher.shared).get(place.local).i32(2).op("i32.shl").op("i32.add")
        const address = finisher.keep("i32")
        for (let i = 0; i < chunks; i++) {
          f.get(address)
          f.memory(
            place.lanes ? "v128.load" : "v128.load32_splat",
            i * chunkBytes + 4 * (row * across + place.offset),
          )
          if (i > 0) f.op("f32x4.add")
        }
        writeOutputs(writer, product, finisher.keep("v128"))
      },
    )
  }
  const body = weight([columns.value]) + rows.extent
  return {
    stages: [
      {
        name: "multiply",
        extent: inner.extent,
        grain: chunk,
        partsPerThread: 4,
        work: (columns.extent * inner.extent * body) / 4,
      },
      {
        name: "finish",
        extent: columns.extent,
        grain: 64,
        partsPerThread: 1,
        work: (rows.extent * columns.extent * (chunks + weight(product.values))) / 4,
      },
    ],
    scratchBytes: padded(4 * rows.extent * stride, 64),
    sharedBytes: chunks * chunkBytes,
  }
}
