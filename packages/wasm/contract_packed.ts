import type { Template } from "./compile_kernel.ts"
import type { Product } from "./contract.ts"
import { packPanel } from "./contract_pack.ts"
import type { Plan } from "./contract_plan.ts"
import { padded, planProduct } from "./contract_plan.ts"
import { blockEnd, hoistOutputs, writeOutputs, writeRow } from "./contract_parts.ts"
import type { Sums } from "./contract_tile.ts"
import { multiplyTile, tileColumns } from "./contract_tile.ts"
import { access } from "./dependencies.ts"
import type { Bound, Emitter, KernelModule } from "./emitter.ts"
import { Evaluator } from "./expression_compiler.ts"
import type { Stage } from "./loops.ts"
import { boundsOf, nest, product as sizeOf, weight } from "./loops.ts"

interface Range {
  readonly start: number
  readonly end: number
}

/** Writes the code of one part: blocks of columns, of inner steps, and tile after tile in each. */
class PackedWriter {
  readonly #plan: Plan
  readonly #emitter: Emitter
  readonly #evaluator: Evaluator

  constructor(plan: Plan, emitter: Emitter, evaluator: Evaluator) {
    this.#plan = plan
    this.#emitter = emitter
    this.#evaluator = evaluator
  }

  #scratch(offset: number): number {
    this.#emitter.f.get(this.#emitter.scratch)
    if (offset > 0) this.#emitter.f.i32(offset).op("i32.add")
    return this.#emitter.keep("i32")
  }

  /** Goes through rows or columns in steps, the rest as a step of its own. */
  #steps(local: number, end: Bound, step: number, extent: number, body: (n: number) => void): void {
    const { f } = this.#emitter
    const from = { local }
    this.#emitter.loopFrom(local, this.#emitter.wholeSteps(from, end, step), step, () => body(step))
    // Parts begin and end at whole steps: only the last of all can be smaller.
    const rest = extent % step
    if (rest === 0) return
    f.get(local)
    this.#emitter.push(end)
    f.op("i32.lt_s").if(() => body(rest))
  }

  #difference({ start, end }: Range): number {
    this.#emitter.f.get(end).get(start).op("i32.sub")
    return this.#emitter.keep("i32")
  }

  /** The address of packed panels: those of the columns from `columns.start` on. */
  #rightPanels(columns: Range, depth: Range, steps: number): number {
    const { product, blocks, shareRight } = this.#plan
    if (!shareRight) return this.#scratch(blocks.packedRight)
    const { f, shared } = this.#emitter
    // Inner blocks one after the other, in each the panels of all columns.
    f.get(depth.start)
      .i32(padded(product.columns.extent, tileColumns))
      .op("i32.mul")
      .get(columns.start)
    f.get(steps).op("i32.mul").op("i32.add").i32(2).op("i32.shl").get(shared).op("i32.add")
    return this.#emitter.keep("i32")
  }

  /** Packs panels of the right side, all inner blocks of them, where all threads see them. */
  writePacking(): void {
    const { product, blocks } = this.#plan
    const emitter = this.#emitter
    const { f } = emitter
    const { columns: side, inner } = product
    emitter.push(emitter.start)
    f.i32(tileColumns).op("i32.mul")
    const start = emitter.keep("i32")
    emitter.push(emitter.end)
    f.i32(tileColumns).op("i32.mul")
    const columns = { start, end: blockEnd(emitter, emitter.keep("i32"), 0, side.extent) }
    emitter.loop(0, inner.extent, blocks.inner, (first) => {
      const depth = { start: first, end: blockEnd(emitter, first, blocks.inner, inner.extent) }
      this.#packRight(columns, depth)
    })
  }

  #packRight(columns: Range, depth: Range): void {
    const { product } = this.#plan
    const { f } = this.#emitter
    const { columns: side, inner } = product
    const target = this.#rightPanels(columns, depth, this.#difference(depth))
    const row = f.local("i32")
    f.get(columns.start).set(row)
    const [start, end] = [{ local: depth.start }, { local: depth.end }]
    const to = { local: columns.end }
    const shape = { width: tileColumns, start, end, target }
    this.#steps(row, to, tileColumns, side.extent, (count) => {
      packPanel(this.#evaluator, side, inner, { ...shape, row, count })
    })
  }

  /** Where the left side of a row of tiles lies, packed now if it has to be. */
  #leftPanel(row: number, count: number, depth: Range): number {
    const { product, tile, left } = this.#plan
    const { rows, inner } = product
    if (left !== undefined && rows.value.kind === "load") {
      const reader = this.#evaluator.fork()
      reader.bind(rows.variable, row)
      reader.bind(inner.variable, depth.start)
      return reader.address(access(rows.value.operand, rows.value.index))
    }
    const [target, address] = [this.#scratch(0), this.#scratch(0)]
    const [start, end] = [{ local: depth.start }, { local: depth.end }]
    const panel = { row, count, width: tile, start, end, target }
    packPanel(this.#evaluator, rows, inner, panel)
    return address
  }

  /** The address of the sum of a row and the first column of a block. */
  #sumsAddress(row: number, columns: Range, keptStart: number): number {
    const { product, blocks, output, single } = this.#plan
    const { f } = this.#emitter
    if (output !== undefined) {
      const writer = this.#evaluator.fork()
      writer.bind(product.rows.variable, row)
      writer.bind(product.columns.variable, columns.start)
      return writer.address(product.stores[0])
    }
    const base = this.#scratch(blocks.sums)
    if (single) return base
    f.get(row).get(keptStart).op("i32.sub")
    f.i32(4 * blocks.columns)
      .op("i32.mul")
      .get(base)
      .op("i32.add")
    return this.#emitter.keep("i32")
  }

  /** A row of tiles over a block of columns, and its results where the sums are complete. */
  #rowOfTiles(row: number, count: number, columns: Range, depth: Range, keptStart: number): void {
    const { product, tile, blocks, left, output, single, light } = this.#plan
    const { f } = this.#emitter
    const steps = this.#difference(depth)
    const panel = this.#leftPanel(row, count, depth)
    const first = this.#sumsAddress(row, columns, keptStart)
    const sums = f.local("i32")
    f.get(first).set(sums)
    const right = this.#rightPanels(columns, depth, steps)
    const column = f.local("i32")
    f.get(columns.start).set(column)
    const [begins, ends] = [
      (): void => void f.get(depth.start).op("i32.eqz"),
      (): void => void f.get(depth.end).i32(product.inner.extent).op("i32.eq"),
    ]
    const whenComplete = (body: () => void): void => {
      if (single) body()
      else {
        ends()
        f.if(body)
      }
    }
    const extent = product.columns.extent
    this.#steps(column, { local: columns.end }, tileColumns, extent, (width) => {
      const shape = {
        rows: count,
        columns: width,
        left: { address: panel, ...(left ?? { across: 4, along: 4 * tile }) },
        right: { address: right, along: 4 * tileColumns },
        sums: { address: sums, across: output ?? 4 * blocks.columns },
        steps,
      }
      const inTile = output === undefined && light && width % 4 === 0
      multiplyTile(this.#emitter, shape, {
        first: single ? undefined : begins,
        last: single ? undefined : ends,
        finish: inTile ? (locals) => this.#finishTile(row, column, locals) : undefined,
      })
      if (output === undefined && light && !inTile) {
        const rest = { start: column, end: columns.end }
        whenComplete(() => this.#finishRows(row, count, rest, sums))
      }
      f.get(sums)
        .i32(4 * tileColumns)
        .op("i32.add")
        .set(sums)
    })
    if (output === undefined && !light) {
      whenComplete(() => this.#finishRows(row, count, columns, first))
    }
  }

  /** Sends the sums of a tile through the output expressions. */
  #finishTile(row: number, column: number, sums: Sums): void {
    const { product } = this.#plan
    const { f } = this.#emitter
    const writer = this.#evaluator.fork(product.columns.variable)
    writer.bindLanes(product.columns.variable, column)
    hoistOutputs(writer, product)
    for (const [i, vectors] of sums.entries()) {
      writer.scope(() => {
        f.get(row).i32(i).op("i32.add")
        writer.bind(product.rows.variable, this.#emitter.keep("i32"))
        hoistOutputs(writer, product)
        for (const [j, vector] of vectors.entries()) {
          writer.scope(() => {
            writer.bindLanes(product.columns.variable, column, 1, 4 * j)
            writeOutputs(writer, product, vector)
          })
        }
      })
    }
  }

  /** Sends rows of finished sums through the output expressions. `sums` is those of the first. */
  #finishRows(row: number, count: number, columns: Range, sums: number): void {
    const { product, blocks } = this.#plan
    const { f } = this.#emitter
    const end = f.local("i32")
    f.get(row).i32(count).op("i32.add").set(end)
    f.get(sums).get(columns.start).i32(2).op("i32.shl").op("i32.sub")
    const address = this.#emitter.keep("i32")
    this.#emitter.loop({ local: row }, { local: end }, 1, (each) => {
      const writer = this.#evaluator.fork(product.columns.variable)
      writer.bind(product.rows.variable, each)
      hoistOutputs(writer, product)
      writeRow(writer, product, address, { local: columns.start }, { local: columns.end })
      f.get(address)
        .i32(4 * blocks.columns)
        .op("i32.add")
        .set(address)
    })
  }

  write([rowFrom, rowTo]: readonly [Bound, Bound], [from, to]: readonly [Bound, Bound]): void {
    const { product, tile, blocks } = this.#plan
    const emitter = this.#emitter
    const { rows, inner } = product
    const block = (columns: Range, depth: Range, kept: Range): void => {
      const row = emitter.f.local("i32")
      emitter.f.get(kept.start).set(row)
      this.#steps(row, { local: kept.end }, tile, rows.extent, (count) =>
        this.#rowOfTiles(row, count, columns, depth, kept.start),
      )
    }
    emitter.loop(from, to, blocks.columns, (start) => {
      const columns = { start, end: blockEnd(emitter, start, blocks.columns, to) }
      emitter.loop(rowFrom, rowTo, blocks.rows, (keptStart) => {
        const kept = { start: keptStart, end: blockEnd(emitter, keptStart, blocks.rows, rowTo) }
        emitter.loop(0, inner.extent, blocks.inner, (first) => {
          const depth = { start: first, end: blockEnd(emitter, first, blocks.inner, inner.extent) }
          if (!this.#plan.shareRight) this.#packRight(columns, depth)
          block(columns, depth, kept)
        })
      })
    })
  }
}

/** Both operands are packed into panels, block by block; sums go through the output expressions. */
export const compilePacked = (module: KernelModule, product: Product): Template => {
  const { kernel, batch, rows, columns, inner } = product
  const batches = sizeOf(batch)
  const split = batches >= 8 ? batch.indexOf(Math.max(...batch)) : -1
  const byRows = split < 0 && rows.extent >= columns.extent
  const plan = planProduct(product, module.target.relaxed, byRows)
  const stages: Array<Stage> = []
  const packedRight = padded(columns.extent, tileColumns) * inner.extent
  if (plan.shareRight) {
    const emitter = module.kernel("pack", kernel.operands)
    new PackedWriter(plan, emitter, new Evaluator(emitter, undefined)).writePacking()
    const work = packedRight * weight([columns.value])
    const extent = Math.ceil(columns.extent / tileColumns)
    stages.push({ name: "pack", extent, grain: 1, partsPerThread: 2, work })
  }
  const emitter = module.kernel("contract", kernel.operands)
  const evaluator = new Evaluator(emitter, undefined)
  const loops = batch.map((extent, variable) => ({
    variable,
    ...boundsOf(emitter, variable, split, extent),
  }))
  const all = (extent: number): readonly [Bound, Bound] => [0, extent]
  const part: readonly [Bound, Bound] = [emitter.start, emitter.end]
  nest(
    evaluator,
    loops,
    () => undefined,
    () =>
      new PackedWriter(plan, emitter, evaluator).write(
        byRows ? part : all(rows.extent),
        split < 0 && !byRows ? part : all(columns.extent),
      ),
  )
  const multiplications = batches * rows.extent * columns.extent * inner.extent
  const packing = batches * inner.extent * (rows.extent * weight([rows.value]) + columns.extent * 2)
  stages.push({
    name: "contract",
    extent: split >= 0 ? batch[split] : byRows ? rows.extent : columns.extent,
    grain: split >= 0 ? 1 : byRows ? plan.tile : 4 * tileColumns,
    partsPerThread: plan.shareRight || split >= 0 ? 4 : 2,
    work: multiplications / 6 + packing,
  })
  return {
    stages,
    scratchBytes: plan.blocks.bytes,
    sharedBytes: plan.shareRight ? 4 * packedRight : 0,
  }
}
