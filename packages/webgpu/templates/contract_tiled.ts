import { Ir } from "@espalier/tensor"
import type { Bindings, Lowered } from "./common.ts"
import { delinearize, frameIn, grid, groupIndex, loopBound, product, writerFor } from "./common.ts"
import type { Strategy } from "./strategy.ts"
import { storeTile } from "./tile.ts"

/** A workgroup is a square of this many invocations a side. */
const side = 16
/** Outputs a side that an invocation sums: at most `most`, and no more than there is work for. */
const perInvocation = (extent: number, most: number): number => {
  let outputs = 1
  while (outputs < most && extent > outputs * side) outputs *= 2
  return outputs
}

/**
 * Tiles of both operands in workgroup memory, 64 × 16 and 16 × 64 or 128 × 8 and 8 × 128 at most, each element evaluated
 * once a workgroup; every invocation sums up to 4 × 4 or 8 × 8 outputs that lie `side` apart.
 */
export const lowerTiledContract = (
  kernel: Ir.ContractKernel,
  bound: Bindings,
  strategy: Strategy,
): Lowered => {
  const { batch, m, n, k } = kernel
  const writer = writerFor(bound)
  const most = strategy.contractTile
  const [rows, columns] = [perInvocation(m, most), perInvocation(n, most)]
  // Steps of k that are held in workgroup memory at a time.
  const depth = Math.max(rows, columns) > 4 ? 8 : 16
  const [height, width] = [rows * side, columns * side]
  const [tilesM, tilesN] = [Math.ceil(m / height), Math.ceil(n / width)]
  const groups = product(batch) * tilesM * tilesN
  const workgroups = grid(groups)
  // One column more than needed: rows then start in different memory banks.
  const [leftPitch, rightPitch] = [depth + 1, width + 1]
  writer.declare(`var<workgroup> lefts: array<f32, ${height * leftPitch}>;`)
  writer.declare(`var<workgroup> rights: array<f32, ${depth * rightPitch}>;`)
  writer.line(`let tile = ${groupIndex(groups)};`)
  if (workgroups[0] * workgroups[1] !== groups) writer.line(`if (tile >= ${groups}) { return; }`)
  writer.line(`let column = tile % ${tilesN} * ${width};`)
  writer.line(`let row = (tile / ${tilesN}) % ${tilesM} * ${height};`)
  writer.line(`let matrix = tile / ${tilesM * tilesN};`)
  writer.line(`let x = i32(lane) % ${side};`)
  writer.line(`let y = i32(lane) / ${side};`)
  const outer = frameIn()
  const values = kernel.outputs.map((output) => output.value)
  delinearize(writer, outer, "matrix", batch, 0, [kernel.left, kernel.right, ...values])

  const sums = Array.from({ length: rows }, () =>
    Array.from({ length: columns }, () => writer.name("sum")),
  )
  for (const sum of sums.flat()) writer.line(`var ${sum} = 0.0f;`)

  /** Fills a tile: `extent` places along m or n (`axis`) times `depth` along k. */
  const fill = (
    name: "lefts" | "rights",
    root: Ir.Expression,
    axis: number,
    extent: number,
    origin: string,
    limit: number,
  ) => {
    const alongK = batch.length + 2
    const kFirst = Ir.reachable([root]).some(
      (node) => node.kind === "load" && Ir.strideOf(node.index, alongK) === 1,
    )
    writer.block(
      `for (var e = i32(lane); e < ${loopBound(extent * depth, strategy)}; e += ${side * side})`,
      () => {
        writer.line(`let p = ${kFirst ? `e / ${depth}` : `e % ${extent}`};`)
        writer.line(`let q = ${kFirst ? `e % ${depth}` : `e / ${extent}`};`)
        writer.line("var value = 0.0f;")
        writer.block(`if (${origin} + p < ${limit} && start + q < ${k})`, () => {
          const frame = frameIn(outer)
          frame.variables[axis] = `(${origin} + p)`
          frame.variables[alongK] = "(start + q)"
          const [text] = writer.evaluate(frame, [root])
          writer.line(`value = ${text};`)
        })
        const place = name === "lefts" ? `p * ${leftPitch} + q` : `q * ${rightPitch} + p`
        writer.line(`${name}[${place}] = value;`)
      },
    )
  }
  writer.block(`for (var start = 0; start < ${loopBound(k, strategy)}; start += ${depth})`, () => {
    fill("lefts", kernel.left, batch.length, height, "row", m)
    fill("rights", kernel.right, batch.length + 1, width, "column", n)
    writer.line("workgroupBarrier();")
    writer.block(`for (var q = 0; q < ${loopBound(depth, strategy)}; q++)`, () => {
      for (let i = 0; i < rows; i++) {
        writer.line(`let a${i} = lefts[(y + ${i * side}) * ${leftPitch} + q];`)
      }
      for (let j = 0; j < columns; j++) {
        writer.line(`let c${j} = rights[q * ${rightPitch} + x + ${j * side}];`)
      }
      sums.forEach((line, i) =>
        line.forEach((sum, j) => writer.line(`${sum} = ${sum} + a${i} * c${j};`)),
      )
    })
    writer.line("workgroupBarrier();")
  })
  const places = {
    row: "row + y",
    rowStep: side,
    column: "column + x",
    columnStep: side,
    wholeRows: m % height === 0,
    wholeColumns: n % width === 0,
  }
  storeTile(kernel, writer, outer, sums, places, strategy)
  return { code: writer.shader(side * side), workgroups }
}
