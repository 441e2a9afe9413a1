import type { Template } from "./compile_kernel.ts"
import type { Product } from "./contract.ts"
import { hoistOutputs, prefers, transpose, writeRow } from "./contract_parts.ts"
import type { Bound, Emitter, KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import { boundsOf, nest, product as sizeOf, weight } from "./loops.ts"

/** Register tile. Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008. */
const tileRows = 4
const tileColumns = 8

const padded = (extent: number, multiple: number): number => Math.ceil(extent / multiple) * multiple

/** Block sizes, and where each block lies in the scratch memory. */
interface Blocks {
  readonly inner: number
  readonly innerBlocks: number
  readonly rows: number
  readonly columns: number
  /** Rows whose sums are kept while the inner blocks go by. */
  readonly keptRows: number
  readonly packedColumns: number
  readonly sums: number
  readonly bytes: number
}

const planBlocks = ({ rows, columns, inner }: Product): Blocks => {
  const innerBlocks = inner.extent <= 384 ? 1 : Math.ceil(inner.extent / 320)
  const innerBlock = innerBlocks === 1 ? inner.extent : padded(inner.extent / innerBlocks, 4)
  const rowBlock = Math.min(128, padded(rows.extent, tileRows))
  const columnBlock = Math.min(512, padded(columns.extent, tileColumns))
  const keptRows = innerBlocks === 1 ? rowBlock : Math.min(1024, padded(rows.extent, rowBlock))
  const packedColumns = 4 * rowBlock * innerBlock
  const sums = packedColumns + 4 * columnBlock * innerBlock
  return {
    inner: innerBlock,
    innerBlocks,
    rows: rowBlock,
    columns: columnBlock,
    keptRows,
    packedColumns,
    sums,
    bytes: sums + 4 * keptRows * columnBlock,
  }
}

/** `min(a + step, b)` in a fresh local. */
const blockEnd = (emitter: Emitter, a: number, step: number, b: Bound): number => {
  const { f } = emitter
  f.get(a).i32(step).op("i32.add")
  const end = emitter.keep("i32")
  f.get(end)
  emitter.push(b)
  f.get(end)
  emitter.push(b)
  f.op("i32.lt_s").op("select").set(end)
  return end
}

/**
 * Copies rows `[from, to)` × inner `[start, end)` of an operand into panels of `width` rows, inner
 * step after inner step. The last panel is filled up by repeating its last row: those sums are
 * never read.
 */
const pack = (
  base: Evaluator,
  operand: Product["rows"],
  inner: Product["inner"],
  width: number,
  area: {
    readonly from: number
    readonly to: number
    readonly start: number
    readonly end: number
  },
  destination: () => void,
): void => {
  const { emitter } = base
  const { f } = emitter
  const { variable, value } = operand
  const step = 4 * width
  const depth = f.local("i32")
  f.get(area.end).get(area.start).op("i32.sub").set(depth)
  const paddedEnd = f.local("i32")
  f.get(area.to)
    .get(area.from)
    .op("i32.sub")
    .i32(width - 1)
    .op("i32.add")
    .i32(-width)
  f.op("i32.and").get(area.from).op("i32.add").set(paddedEnd)
  emitter.loop({ local: area.from }, { local: paddedEnd }, 4, (row) => {
    const target = f.local("i32")
    const position = f.local("i32")
    // Panel number × panel bytes, and the half of the panel for the wider one.
    f.get(row).get(area.from).op("i32.sub").i32(-width).op("i32.and").get(depth).op("i32.mul")
    f.get(row)
      .get(area.from)
      .op("i32.sub")
      .i32(width - 1)
      .op("i32.and")
      .op("i32.add")
    f.i32(2).op("i32.shl")
    destination()
    f.op("i32.add").set(target)
    f.get(area.start).set(position)
    const advance = (count: number): void => {
      f.get(target)
        .i32(step * count)
        .op("i32.add")
        .set(target)
    }
    const singles = (readers: ReadonlyArray<Evaluator>): void => {
      emitter.loopFrom(position, { local: area.end }, 1, () => {
        const lanes = readers.map((reader) => {
          let local = 0
          reader.scope(() => {
            reader.bind(inner.variable, position)
            local = reader.vector(value)
          })
          return local
        }) as [number, number, number, number]
        f.get(target)
        f.get(lanes[0]).get(lanes[1]).shuffle(0, 4, 0, 4)
        f.get(lanes[2]).get(lanes[3]).shuffle(0, 4, 0, 4)
        f.shuffle(0, 1, 4, 5).memory("v128.store")
        advance(1)
      })
    }
    const rowReaders = (lane: number | undefined): ReadonlyArray<Evaluator> =>
      Array.from({ length: 4 }, (_, j) => {
        const reader = base.fork(lane)
        f.get(area.to).i32(1).op("i32.sub")
        const last = emitter.keep("i32")
        reader.bind(variable, blockEnd(emitter, row, j, { local: last }))
        reader.hoist([value])
        return reader
      })
    if (prefers(value, operand, inner)) {
      f.get(row)
        .i32(4)
        .op("i32.add")
        .get(area.to)
        .op("i32.le_s")
        .if(
          () => {
            const reader = base.fork(variable)
            reader.bindLanes(variable, row)
            reader.hoist([value])
            emitter.loopFrom(position, { local: area.end }, 1, () => {
              reader.scope(() => {
                reader.bind(inner.variable, position)
                const local = reader.vector(value)
                f.get(target).get(local).memory("v128.store")
              })
              advance(1)
            })
          },
          () => singles(rowReaders(undefined)),
        )
    } else {
      const readers = rowReaders(inner.variable)
      const whole = emitter.wholeSteps({ local: area.start }, { local: area.end }, 4)
      emitter.loopFrom(position, whole, 4, () => {
        const read = readers.map((reader) => {
          let local = 0
          reader.scope(() => {
            reader.bindLanes(inner.variable, position)
            local = reader.vector(value)
          })
          return local
        }) as [number, number, number, number]
        for (const [i, column] of transpose(emitter, read).entries()) {
          f.get(target)
            .get(column)
            .memory("v128.store", i * step)
        }
        advance(4)
      })
      singles(readers)
    }
  })
}

/** One register tile over `count` inner steps: sums at `sums`, rows `stride` bytes apart. */
const tile = (
  emitter: Emitter,
  at: { readonly left: number; readonly right: number; readonly sums: number },
  count: number,
  fresh: () => void,
  stride: number,
): void => {
  const { f } = emitter
  const halves = [0, 1]
  const rows = Array.from({ length: tileRows }, (_, row) => row)
  const sums = rows.map(() => halves.map(() => f.local("v128")))
  const right = halves.map(() => f.local("v128"))
  const left = f.local("v128")
  fresh()
  f.if(
    () => {
      for (const local of sums.flat()) f.i32x4(0).set(local)
    },
    () => {
      for (const row of rows) {
        for (const half of halves) {
          f.get(at.sums)
            .memory("v128.load", row * stride + 16 * half)
            .set(sums[row][half])
        }
      }
    },
  )
  const remaining = f.local("i32")
  f.get(count).set(remaining)
  f.loop((next) => {
    for (const half of halves) {
      f.get(at.right)
        .memory("v128.load", 16 * half)
        .set(right[half])
    }
    for (const row of rows) {
      f.get(at.left)
        .memory("v128.load32_splat", 4 * row)
        .set(left)
      for (const half of halves) {
        const sum = sums[row][half]
        f.get(left).get(right[half])
        emitter.multiplyAdd(() => f.get(sum))
        f.set(sum)
      }
    }
    f.get(at.left)
      .i32(4 * tileRows)
      .op("i32.add")
      .set(at.left)
    f.get(at.right)
      .i32(4 * tileColumns)
      .op("i32.add")
      .set(at.right)
    f.get(remaining).i32(1).op("i32.sub").tee(remaining).branchIf(next)
  })
  for (const row of rows) {
    for (const half of halves) {
      f.get(at.sums)
        .get(sums[row][half])
        .memory("v128.store", row * stride + 16 * half)
    }
  }
}

/** Both operands are packed into panels, block by block; sums go through the output expressions. */
export const compilePacked = (module: KernelModule, product: Product): Template => {
  const { kernel, batch, rows, columns, inner } = product
  const emitter = module.kernel("contract", kernel.operands)
  const { f } = emitter
  const blocks = planBlocks(product)
  const stride = 4 * blocks.columns
  const batches = sizeOf(batch)
  const split = batches >= 8 ? batch.indexOf(Math.max(...batch)) : -1
  const byRows = split < 0 && rows.extent >= 128
  const evaluator = new Evaluator(emitter, undefined)
  const all = (extent: number): readonly [Bound, Bound] => [0, extent]
  const part: readonly [Bound, Bound] = [emitter.start, emitter.end]
  const [rowFrom, rowTo] = byRows ? part : all(rows.extent)
  const [columnFrom, columnTo] = split < 0 && !byRows ? part : all(columns.extent)
  const plus = (offset: number) => (): void => {
    f.get(emitter.scratch)
    if (offset > 0) f.i32(offset).op("i32.add")
  }

  const multiplyBlock = (
    area: { rowStart: number; rowEnd: number; columnStart: number; columnEnd: number },
    depth: { start: number; end: number },
    keptStart: number,
  ): void => {
    const count = f.local("i32")
    f.get(depth.end).get(depth.start).op("i32.sub").set(count)
    const rowOffset = (row: number): void => {
      f.get(row).get(keptStart).op("i32.sub").i32(stride).op("i32.mul")
    }
    emitter.loop({ local: area.columnStart }, { local: area.columnEnd }, tileColumns, (column) => {
      emitter.loop({ local: area.rowStart }, { local: area.rowEnd }, tileRows, (row) => {
        const at = { left: f.local("i32"), right: f.local("i32"), sums: f.local("i32") }
        plus(0)()
        f.get(row).get(area.rowStart).op("i32.sub").get(count).op("i32.mul").i32(2).op("i32.shl")
        f.op("i32.add").set(at.left)
        plus(blocks.packedColumns)()
        f.get(column).get(area.columnStart).op("i32.sub").get(count).op("i32.mul")
        f.i32(2).op("i32.shl").op("i32.add").set(at.right)
        plus(blocks.sums)()
        rowOffset(row)
        f.op("i32.add").get(column).get(area.columnStart).op("i32.sub").i32(2).op("i32.shl")
        f.op("i32.add").set(at.sums)
        tile(emitter, at, count, () => f.get(depth.start).op("i32.eqz"), stride)
      })
    })
    f.get(depth.end)
      .i32(inner.extent)
      .op("i32.eq")
      .if(() => {
        emitter.loop({ local: area.rowStart }, { local: area.rowEnd }, 1, (row) => {
          plus(blocks.sums)()
          rowOffset(row)
          f.op("i32.add").get(area.columnStart).i32(2).op("i32.shl").op("i32.sub")
          const address = emitter.keep("i32")
          const writer = evaluator.fork(columns.variable)
          writer.bind(rows.variable, row)
          hoistOutputs(writer, product)
          const [from, to] = [{ local: area.columnStart }, { local: area.columnEnd }]
          writeRow(writer, product, address, from, to)
        })
      })
  }

  const loops = batch.map((extent, variable) => ({
    variable,
    ...boundsOf(emitter, variable, split, extent),
  }))
  nest(
    evaluator,
    loops,
    () => undefined,
    () => {
      emitter.loop(columnFrom, columnTo, blocks.columns, (columnStart) => {
        const columnEnd = blockEnd(emitter, columnStart, blocks.columns, columnTo)
        const packRight = (start: number, end: number): void =>
          pack(
            evaluator,
            columns,
            inner,
            tileColumns,
            { from: columnStart, to: columnEnd, start, end },
            plus(blocks.packedColumns),
          )
        const whole = { start: f.local("i32"), end: f.local("i32") }
        f.i32(0).set(whole.start).i32(inner.extent).set(whole.end)
        if (blocks.innerBlocks === 1) packRight(whole.start, whole.end)
        emitter.loop(rowFrom, rowTo, blocks.keptRows, (keptStart) => {
          const keptEnd = blockEnd(emitter, keptStart, blocks.keptRows, rowTo)
          const overRows = (start: number, end: number): void => {
            emitter.loop({ local: keptStart }, { local: keptEnd }, blocks.rows, (rowStart) => {
              const rowEnd = blockEnd(emitter, rowStart, blocks.rows, { local: keptEnd })
              const area = { from: rowStart, to: rowEnd, start, end }
              pack(evaluator, rows, inner, tileRows, area, plus(0))
              multiplyBlock({ rowStart, rowEnd, columnStart, columnEnd }, { start, end }, keptStart)
            })
          }
          if (blocks.innerBlocks === 1) overRows(whole.start, whole.end)
          else {
            emitter.loop(0, inner.extent, blocks.inner, (start) => {
              const end = blockEnd(emitter, start, blocks.inner, inner.extent)
              packRight(start, end)
              overRows(start, end)
            })
          }
        })
      })
    },
  )
  const multiplications = batches * rows.extent * columns.extent * inner.extent
  const packing = batches * inner.extent * (rows.extent * weight([rows.value]) + columns.extent * 2)
  return {
    stages: [
      {
        name: "contract",
        extent: split >= 0 ? batch[split] : byRows ? rows.extent : columns.extent,
        grain: split >= 0 ? 1 : 32,
        partsPerThread: 2,
        work: multiplications / 6 + packing,
      },
    ],
    scratchBytes: padded(blocks.bytes, 64),
  }
}
