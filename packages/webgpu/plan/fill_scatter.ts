import { Ir } from "@espalier/tensor"
import type { Launch, OperandRange } from "./launch.ts"
import { dropUnusedOperands } from "./launch.ts"

/**
 * A scatter in two launches: the output gets its starting values in a first one, which streams, so
 * that the second touches only the rows that are updated.
 */
export const fillThenScatter = (
  kernel: Ir.ScatterKernel,
  operands: ReadonlyArray<OperandRange>,
): ReadonlyArray<Launch> => {
  const { rows, inner, initial, value } = kernel
  const output = kernel.outputs[0].operand
  const builder = new Ir.ExpressionBuilder()
  const length = rows * inner
  const start =
    initial === undefined
      ? builder.constant(0, value.dtype)
      : builder.load(1, builder.variable(0, length), value.dtype)
  const filled = initial === undefined ? [output] : [output, initial]
  const fill: Ir.MapKernel = {
    kind: "map",
    name: `${kernel.name} (start)`,
    loops: [length],
    operands: filled.map((operand) => kernel.operands[operand]),
    outputs: [{ operand: 0, value: start }],
  }
  // The output is where the scatter itself starts from.
  const rest: Ir.ScatterKernel = { ...kernel, initial: output }
  return [
    { kernel: fill, operands: filled.map((operand) => operands[operand]) },
    dropUnusedOperands({ kernel: rest, operands }),
  ]
}
