import type { Ir, WgslBuilder } from "@espalier/tensor"
import type { Bindings, Lowered } from "./common.ts"
import { frameIn, grid, groupIndex, loopBound, positions, writerFor } from "./common.ts"
import type { Strategy } from "./strategy.ts"

/** True where output and starting values are the same memory. */
const isInPlace = (kernel: Ir.ScatterKernel, { operandBinding }: Bindings): boolean =>
  kernel.initial !== undefined &&
  operandBinding[kernel.initial] === operandBinding[kernel.outputs[0].operand]

/**
 * Updates in ascending order without float atomics: whatever writes an element does so alone. The
 * rows are dealt out in tiles, and each tile looks through the updates for those that concern it.
 */
export const lowerScatter = (
  kernel: Ir.ScatterKernel,
  bound: Bindings,
  strategy: Strategy,
): Lowered => {
  const writer = writerFor(bound)
  const inPlace = isInPlace(kernel, bound)
  if (inPlace && kernel.updates <= strategy.scatterFew)
    return walk(kernel, writer, strategy, 1, true)
  if (strategy.scatter === "lists" && kernel.updates > strategy.scatterFew) {
    return lists(kernel, writer, strategy, inPlace)
  }
  return walk(kernel, writer, strategy, tilesOf(kernel, strategy), inPlace)
}

/** As many tiles as keep the adapter busy: each costs another look through the updates. */
const tilesOf = ({ rows, inner, updates }: Ir.ScatterKernel, strategy: Strategy): number =>
  updates === 0 ? rows : Math.max(1, Math.min(rows, Math.ceil(strategy.scatterInvocations / inner)))

const start = (kernel: Ir.ScatterKernel, writer: WgslBuilder.Writer, place: string): void => {
  const { initial, value } = kernel
  const from =
    initial === undefined ? writer.literal(0, value.dtype) : writer.element(initial, place)
  writer.store(kernel.outputs[0].operand, place, from)
}

const update = (
  kernel: Ir.ScatterKernel,
  writer: WgslBuilder.Writer,
  frame: WgslBuilder.Frame,
  place: string,
): void => {
  const operand = kernel.outputs[0].operand
  const [value] = writer.evaluate(frame, [kernel.value])
  if (kernel.mode === "set") {
    writer.store(operand, place, value)
    return
  }
  const { dtype } = kernel.value
  const known = writer.element(operand, place)
  writer.store(operand, place, dtype === "bool" ? `(${known} | ${value})` : `${known} + ${value}`)
}

/** One invocation a column of a tile of rows; it walks all updates. */
const walk = (
  kernel: Ir.ScatterKernel,
  writer: WgslBuilder.Writer,
  strategy: Strategy,
  tiles: number,
  inPlace: boolean,
): Lowered => {
  const { inner, rows, updates } = kernel
  const height = Math.ceil(rows / tiles)
  const used = Math.ceil(rows / height)
  const workgroups = positions(writer, used * inner, strategy.lanes)
  writer.line(`let column = position % ${inner};`)
  writer.line(`let first = position / ${inner} * ${height};`)
  const last = used * height === rows ? `first + ${height}` : `min(first + ${height}, ${rows})`
  writer.line(`let last = ${last};`)
  if (!inPlace) {
    writer.block("for (var row = first; row < last; row++)", () =>
      start(kernel, writer, `row * ${inner} + column`),
    )
  }
  writer.block(`for (var t = 0; t < ${loopBound(updates, strategy)}; t++)`, () => {
    const frame = frameIn()
    frame.variables.push("t", "column")
    const [row] = writer.evaluate(frame, [kernel.row])
    writer.line(`let row = i32(${row});`)
    writer.block("if (row >= first && row < last)", () => {
      writer.line(`let place = row * ${inner} + column;`)
      update(kernel, writer, frameIn(frame), "place")
    })
  })
  return { code: writer.shader(strategy.lanes), workgroups }
}

/**
 * One workgroup a tile of rows: its lanes look at as many updates at once, mark those of the tile
 * in a bit set (the only atomic operation, and one whose order cannot matter), and then all take
 * the marked ones in ascending order, a column each.
 */
const lists = (
  kernel: Ir.ScatterKernel,
  writer: WgslBuilder.Writer,
  strategy: Strategy,
  inPlace: boolean,
): Lowered => {
  const { inner, rows, updates } = kernel
  const lanes = strategy.lanes
  const words = Math.ceil(lanes / 32)
  const height = Math.ceil(rows / Math.min(rows, strategy.scatterTiles))
  const groups = Math.ceil(rows / height)
  const workgroups = grid(groups)
  writer.declare(`var<workgroup> marks: array<atomic<u32>, ${words}>;`)
  writer.declare(`var<workgroup> rows_seen: array<i32, ${lanes}>;`)
  writer.line(`let tile = ${groupIndex(groups)};`)
  if (workgroups[0] * workgroups[1] !== groups) writer.line(`if (tile >= ${groups}) { return; }`)
  writer.line(`let first = tile * ${height};`)
  writer.line(`let last = min(first + ${height}, ${rows});`)
  if (!inPlace) {
    writer.block(
      `for (var place = first * ${inner} + i32(lane); place < last * ${inner}; place += ${lanes})`,
      () => start(kernel, writer, "place"),
    )
    writer.line("storageBarrier();")
  }
  writer.block(
    `for (var base = 0; base < ${loopBound(updates, strategy)}; base += ${lanes})`,
    () => {
      writer.block(`if (lane < ${words}u)`, () => writer.line("atomicStore(&marks[lane], 0u);"))
      writer.line("workgroupBarrier();")
      writer.block(`if (base + i32(lane) < ${updates})`, () => {
        const frame = frameIn()
        frame.variables.push("(base + i32(lane))", "0")
        const [row] = writer.evaluate(frame, [kernel.row])
        writer.line(`let row = i32(${row});`)
        writer.line("rows_seen[lane] = row;")
        writer.block("if (row >= first && row < last)", () =>
          writer.line("atomicOr(&marks[lane / 32u], 1u << (lane % 32u));"),
        )
      })
      writer.line("workgroupBarrier();")
      writer.block(`for (var word = 0u; word < ${words}u; word++)`, () => {
        writer.line("var marked = atomicLoad(&marks[word]);")
        writer.block("while (marked != 0u)", () => {
          writer.line("let found = word * 32u + firstTrailingBit(marked);")
          writer.line("marked = marked & (marked - 1u);")
          writer.block(
            `for (var column = i32(lane); column < ${inner}; column += ${lanes})`,
            () => {
              const frame = frameIn()
              frame.variables.push("(base + i32(found))", "column")
              writer.line(`let place = rows_seen[found] * ${inner} + column;`)
              update(kernel, writer, frame, "place")
            },
          )
        })
      })
      writer.line("workgroupBarrier();")
    },
  )
  return { code: writer.shader(lanes), workgroups }
}
