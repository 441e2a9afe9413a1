import type { Template } from "./compile_kernel.ts"
import type { Product } from "./contract.ts"
import { hoistOutputs, prefers, transpose, writeOutputs, writeRow } from "./contract_parts.ts"
import type { Bound, Emitter, KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import { boundsOf, nest, product as sizeOf, vectorLoop, weight } from "./loops.ts"

/** Columns whose running sums stay in the first-level cache while rows of the matrix stream by. */
const columnBlock = 1024

const padded = (extent: number, multiple: number): number => Math.ceil(extent / multiple) * multiple

/** Vectors a round: packed codes are taken out of their words with counts that are known then. */
const roundsOf = (value: Product["columns"]["value"]): ReadonlyArray<number> =>
  value.kind === "load" ? [1] : [2, 1]

/** Evaluates the few rows once, into `rows` stretches of `stride` floats at `address`. */
const keepRows = (emitter: Emitter, base: Evaluator, product: Product, stride: number): void => {
  const { rows, inner } = product
  const { f } = emitter
  for (let row = 0; row < rows.extent; row++) {
    const evaluator = base.fork(inner.variable)
    if (rows.extent > 1) {
      f.i32(row)
      evaluator.bind(rows.variable, emitter.keep("i32"))
    }
    const roots = [rows.value]
    evaluator.hoist(roots)
    vectorLoop(evaluator, inner.variable, 0, inner.extent, 1, roots, [], (place) => {
      const value = evaluator.vector(rows.value)
      f.get(emitter.scratch).get(place.local).i32(2).op("i32.shl").op("i32.add").get(value)
      if (place.lanes) f.memory("v128.store", 4 * row * stride)
      else f.memoryLane("v128.store32_lane", 0, 4 * row * stride)
    })
  }
}

/** The sums of the lanes of one vector or of each of four, added as (0 + 1) + (2 + 3). */
const addLanes = (emitter: Emitter, sums: ReadonlyArray<number>): number => {
  const { f } = emitter
  const [a, b, c, d] = sums
  const lanes =
    sums.length === 4
      ? transpose(emitter, [a, b, c, d])
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

/** Columns that lie side by side: running sums of a block of columns, several inner steps a pass. */
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
  const steps = rows.extent === 1 ? 8 : 4
  emitter.loop(from, to, columnBlock, (blockStart) => {
    const blockEnd = f.local("i32")
    f.get(blockStart).i32(columnBlock).op("i32.add").tee(blockEnd)
    emitter.push(to)
    f.get(blockEnd)
    emitter.push(to)
    f.op("i32.lt_s").op("select").set(blockEnd)
    f.get(emitter.scratch).i32(sumOffset).op("i32.add").i32(0)
    f.i32(4 * rows.extent * columnBlock).memoryFill()
    // The address that column 0 of the first row of sums would have.
    f.get(emitter.scratch).i32(sumOffset).op("i32.add")
    f.get(blockStart).i32(2).op("i32.shl").op("i32.sub")
    const origin = emitter.keep("i32")
    const pass = (step: number, count: number): void => {
      const readers = Array.from({ length: count }, (_, u) => {
        const reader = base.fork(columns.variable)
        f.get(step).i32(u).op("i32.add")
        reader.bind(inner.variable, emitter.keep("i32"))
        reader.hoist([columns.value])
        return reader
      })
      const left = Array.from({ length: rows.extent }, (_, row) =>
        readers.map((_, u) => {
          f.get(emitter.scratch).get(step).i32(2).op("i32.shl").op("i32.add")
          f.memory("v128.load32_splat", 4 * (row * stride + u))
          return emitter.keep("v128")
        }),
      )
      const place = f.local("i32")
      const add = (lanes: boolean, shift = 0, multiple = 4): void => {
        const values = readers.map((reader) => {
          let value = 0
          reader.scope(() => {
            if (lanes) reader.bindLanes(columns.variable, place, 1, shift, multiple)
            else reader.bind(columns.variable, place)
            value = reader.vector(columns.value)
          })
          return value
        })
        f.get(origin).get(place).i32(2).op("i32.shl").op("i32.add")
        const address = emitter.keep("i32")
        for (const [row, factors] of left.entries()) {
          const offset = 4 * (row * columnBlock + shift)
          f.get(address).memory(lanes ? "v128.load" : "v128.load32_splat", offset)
          const sum = emitter.keep("v128")
          for (const [u, factor] of factors.entries()) {
            f.get(factor).get(values[u])
            emitter.multiplyAdd(() => f.get(sum))
            f.set(sum)
          }
          f.get(address).get(sum)
          if (lanes) f.memory("v128.store", offset)
          else f.memoryLane("v128.store32_lane", 0, offset)
        }
      }
      f.get(blockStart).set(place)
      for (const vectors of roundsOf(columns.value)) {
        const width = 4 * vectors
        const whole = emitter.wholeSteps({ local: place }, { local: blockEnd }, width)
        emitter.loopFrom(place, whole, width, () => {
          for (let u = 0; u < vectors; u++) add(true, 4 * u, width)
        })
      }
      emitter.loopFrom(place, { local: blockEnd }, 1, () => add(false))
    }
    const step = f.local("i32")
    f.i32(0).set(step)
    const whole = Math.floor(inner.extent / steps) * steps
    emitter.loopFrom(step, whole, steps, () => pass(step, steps))
    emitter.loopFrom(step, inner.extent, 1, () => pass(step, 1))
    for (let row = 0; row < rows.extent; row++) {
      const writer = base.fork(columns.variable)
      if (rows.extent > 1) {
        f.i32(row)
        writer.bind(rows.variable, emitter.keep("i32"))
      }
      f.get(origin)
        .i32(4 * row * columnBlock)
        .op("i32.add")
      const address = emitter.keep("i32")
      hoistOutputs(writer, product)
      writeRow(writer, product, address, { local: blockStart }, { local: blockEnd })
    }
  })
}

/** At most three rows: the matrix is read once, where it lies. */
export const compileStreamed = (module: KernelModule, product: Product): Template => {
  const { kernel, batch, rows, columns, inner } = product
  const emitter = module.kernel("contract", kernel.operands)
  const stride = padded(inner.extent, 4)
  const dots = !prefers(columns.value, columns, inner)
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
      keepRows(emitter, evaluator, product, stride)
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
