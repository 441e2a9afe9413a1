import type { WgslBuilder } from "@espalier/tensor"
import { Ir } from "@espalier/tensor"
import { frameIn } from "./common.ts"

/** Where the sums of a tile belong, and whether the edge can cut it. */
export interface TilePlaces {
  readonly rows: ReadonlyArray<string>
  readonly columns: ReadonlyArray<string>
  readonly wholeRows: boolean
  readonly wholeColumns: boolean
}

/** Finishes every sum of a tile and stores it, where it lies inside the matrix. */
export const storeTile = (
  kernel: Ir.ContractKernel,
  writer: WgslBuilder.Writer,
  outer: WgslBuilder.Frame,
  sums: ReadonlyArray<ReadonlyArray<string>>,
  places: TilePlaces,
): void => {
  const { batch, m, n } = kernel
  const guard = (condition: string | undefined, body: () => void) =>
    condition === undefined ? writer.block("", body) : writer.block(`if (${condition})`, body)
  const half = kernel.outputs.some((output) =>
    Ir.reachable([output.value]).some((node) => node.kind === "argument" && node.dtype === "f16"),
  )
  sums.forEach((line, i) =>
    guard(places.wholeRows ? undefined : `${places.rows[i]} < ${m}`, () => {
      const row = writer.name("m")
      writer.line(`let ${row} = ${places.rows[i]};`)
      line.forEach((sum, j) =>
        guard(places.wholeColumns ? undefined : `${places.columns[j]} < ${n}`, () => {
          const column = writer.name("n")
          writer.line(`let ${column} = ${places.columns[j]};`)
          const frame = frameIn(outer, [half ? `f16(${sum})` : sum])
          frame.variables[batch.length] = row
          frame.variables[batch.length + 1] = column
          const values = writer.evaluate(
            frame,
            kernel.outputs.map((output) => output.value),
          )
          const matrix = batch.length === 0 ? "" : `matrix * ${m * n} + `
          kernel.outputs.forEach((output, o) =>
            writer.store(output.operand, `${matrix}${row} * ${n} + ${column}`, values[o]),
          )
        }),
      )
    }),
  )
}
