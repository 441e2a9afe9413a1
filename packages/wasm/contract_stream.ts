import { transposeLanes } from "@espalier/tensor"
import { compileSplit, splits } from "./contract_split.ts"
import type { Template } from "./compile_kernel.ts"
import type { Product } from "./contract.ts"
import { accumulate, keepRows, roundsOf } from "./contract_accumulate.ts"
import { blockEnd, hoistOutputs, prefers, writeOutputs, writeRow } from "./contract_parts.ts"
import type { Bound, Emitter, KernelModule } from "./emitter.ts"
import { padded } from "./contract_plan.ts"
import { Evaluator } from "./expression_compiler.ts"
import { boundsOf, nest, product as sizeOf, weight } from "./loops.ts"

/** Columns whose running sums stay in the first-level cache while rows of the matrix stream by. */
const columnBlock = 1024

/** The sums of the lanes of one vector or of each of four, added as (0 + 1) + (2 + 3). */
const addLanes = (emitter: Emitter, sums: ReadonlyArray<number>): number => {
  const { f } = emitter
  const [a, b, c, d] = sums
  const lanes =
    sums.length === 4
      ? transposeLanes(emitter.f, [a, b, c, d])
      : [0, 1, 2, 3].map((lane) => {
          f.get(a).get(a).shuffle(lane, lane, lane, lane)
          return emitter.keep("v128")
        })
  f.get(lanes[0]).get(lanes[1]).op("f32x4.add").get(lanes[2]).get(lanes[3]).op("f32x4.add")
  f.op("f32x4.add")
  return emitter.keep("v128")
}

/** Columns that lie along the inner dimension: dot products, several columns at a time. */
const dotColumns = (
  emitter: Emitter,
  base: Evaluator,
  product: Product,
  stride: number,
  local: number,
  count: 8 | 4 | 1,
): void => {
  const { f } = emitter
  const { rows, columns, inner } = product
  const readers = Array.from({ length: count }, (_, j) => {
    const reader = base.fork(inner.variable)
    f.get(local).i32(j).op("i32.add")
    reader.bind(columns.variable, emitter.keep("i32"))
    reader.hoist([columns.value])
    return reader
  })
  const sums = Array.from({ length: rows.extent }, () =>
    readers.map(() => {
      f.f32x4(0)
      return emitter.keep("v128")
    }),
  )
  const multiply = (place: number, lanes: boolean, offset = 0, multiple = 4): void => {
    const left = sums.map((_, row) => {
      f.get(emitter.scratch).get(place).i32(2).op("i32.shl").op("i32.add")
      f.memory(lanes ? "v128.load" : "v128.load32_zero", 4 * (row * stride + offset))
      return emitter.keep("v128")
    })
    for (const [j, reader] of readers.entries()) {
      reader.scope(() => {
        if (lanes) reader.bindLanes(inner.variable, place, 1, offset, multiple)
        else reader.bind(inner.variable, place)
        let value = reader.vector(columns.value)
        if (!lanes) {
          f.get(value).i32x4(-1, 0, 0, 0).op("v128.and")
          value = emitter.keep("v128")
        }
        for (const [row, sum] of sums.entries()) {
          f.get(left[row]).get(value)
          emitter.multiplyAdd(() => f.get(sum[j]))
          f.set(sum[j])
        }
      })
    }
  }
  const place = f.local("i32")
  f.i32(0).set(place)
  for (const vectors of roundsOf(columns.value)) {
    const step = 4 * vectors
    emitter.loopFrom(place, Math.floor(inner.extent / step) * step, step, () => {
      for (let u = 0; u < vectors; u++) multiply(place, true, 4 * u, step)
    })
  }
  emitter.loopFrom(place, inner.extent, 1, () => multiply(place, false))
  for (const [row, sum] of sums.entries()) {
    for (let group = 0; group < count; group += 4) {
      const writer = base.fork(columns.variable)
      if (count === 1) writer.bind(columns.variable, local)
      else writer.bindLanes(columns.variable, local, 1, group)
      if (rows.extent > 1) {
        f.i32(row)
        writer.bind(rows.variable, emitter.keep("i32"))
      }
      writeOutputs(writer, product, addLanes(emitter, sum.slice(group, group + 4)))
    }
  }
}

/** Columns that lie side by side: running sums of a block of columns. */
const addRows = (
  emitter: Emitter,
  base: Evaluator,
  product: Product,
  stride: number,
  from: Bound,
  to: Bound,
): void => {
  const { f } = emitter
  const { rows, columns, inner } = product
  const sumOffset = 4 * rows.extent * stride
  emitter.loop(from, to, columnBlock, (start) => {
    const end = blockEnd(emitter, start, columnBlock, to)
    f.get(emitter.scratch).i32(sumOffset).op("i32.add").i32(0)
    f.i32(4 * rows.extent * columnBlock).memoryFill()
    f.get(emitter.scratch).i32(sumOffset).op("i32.add")
    f.get(start).i32(2).op("i32.shl").op("i32.sub")
    const sums = { origin: emitter.keep("i32"), across: columnBlock }
    const block = { from: { local: start }, to: { local: end } }
    accumulate(emitter, base, product, stride, sums, block, { from: 0, to: inner.extent })
    for (let row = 0; row < rows.extent; row++) {
      const writer = base.fork(columns.variable)
      if (rows.extent > 1) {
        f.i32(row)
        writer.bind(rows.variable, emitter.keep("i32"))
      }
      f.get(sums.origin)
        .i32(4 * row * columnBlock)
        .op("i32.add")
      const address = emitter.keep("i32")
      hoistOutputs(writer, product)
      writeRow(writer, product, address, block.from, block.to)
    }
  })
}

/** At most three rows: the matrix is read once, where it lies. */
export const compileStreamed = (module: KernelModule, product: Product): Template => {
  const { kernel, batch, rows, columns, inner } = product
  const dots = !prefers(columns.value, columns, inner)
  if (!dots && splits(product)) return compileSplit(module, product)
  const emitter = module.kernel("contract", kernel.operands)
  const stride = padded(inner.extent, 4)
  const batches = sizeOf(batch)
  const split = batches >= 8 || columns.extent < 256 ? batch.indexOf(Math.max(...batch)) : -1
  const evaluator = new Evaluator(emitter, undefined)
  const loops = batch.map((extent, variable) => ({
    variable,
    ...boundsOf(emitter, variable, split, extent),
  }))
  const [from, to]: [Bound, Bound] = split >= 0 ? [0, columns.extent] : [emitter.start, emitter.end]
  nest(
    evaluator,
    loops,
    () => undefined,
    () => {
      keepRows(emitter, evaluator, product, stride, { from: 0, to: inner.extent })
      if (dots) {
        const local = emitter.f.local("i32")
        emitter.push(from)
        emitter.f.set(local)
        // Eight sums keep both multipliers busy.
        for (const count of rows.extent === 1 ? ([8, 4, 1] as const) : ([4, 1] as const)) {
          emitter.loopFrom(local, emitter.wholeSteps({ local }, to, count), count, () =>
            dotColumns(emitter, evaluator, product, stride, local, count),
          )
        }
      } else addRows(emitter, evaluator, product, stride, from, to)
    },
  )
  const body = weight([columns.value]) + rows.extent
  return {
    stages: [
      {
        name: "contract",
        extent: split >= 0 ? batch[split] : columns.extent,
        grain: split >= 0 ? 1 : 16,
        partsPerThread: 2,
        work: (batches * columns.extent * inner.extent * body) / 4,
      },
    ],
    scratchBytes: 4 * rows.extent * (stride + columnBlock) + 64,
  }
}
