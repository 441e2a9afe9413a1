import { Ir } from "@espalier/tensor"

/** Kernels of several stages over the same rows, as the scheduler would make them. */

const read = (length: number): Ir.Operand => ({ dtype: "f32", length, access: "read" })
const write = (length: number): Ir.Operand => ({ dtype: "f32", length, access: "write" })

const fold = (b: Ir.ExpressionBuilder, name: "add" | "maximum", identity: number): Ir.Combine => ({
  name,
  dtypes: ["f32"],
  identity: [identity],
  result: [b.binary(name, b.argument(0, "f32"), b.argument(1, "f32"))],
})

/** `softmax(x)` of each row: maximum, exponentials, their sum, quotients. */
export const softmax = (rows: number, columns: number): Ir.RowsKernel => {
  const b = new Ir.ExpressionBuilder()
  const [row, column] = [b.variable(0, rows), b.variable(1, columns)]
  const zero = b.constant(0, "i32")
  const x = b.load(0, b.linearize([row, column], [rows, columns]), "f32")
  const [largest, powers, sum] = [2, 3, 4]
  const power = b.load(powers, column, "f32")
  const shifted = b.binary("subtract", x, b.load(largest, zero, "f32"))
  const quotient = b.binary("divide", power, b.load(sum, zero, "f32"))
  const total = b.argument(0, "f32")
  return {
    kind: "rows",
    name: "softmax",
    loops: [rows],
    operands: [read(rows * columns), write(rows * columns)],
    locals: [
      { dtype: "f32", length: 1 },
      { dtype: "f32", length: columns },
      { dtype: "f32", length: 1 },
    ],
    stages: [
      {
        kind: "reduce",
        name: "max",
        loops: [],
        reduceLoops: [columns],
        elements: [x],
        combine: fold(b, "maximum", -3.4028234663852886e38),
        outputs: [{ operand: largest, value: total }],
      },
      {
        kind: "map",
        name: "exp",
        loops: [columns],
        outputs: [{ operand: powers, value: b.unary("exp", shifted) }],
      },
      {
        kind: "reduce",
        name: "sum",
        loops: [],
        reduceLoops: [columns],
        elements: [power],
        combine: fold(b, "add", 0),
        outputs: [{ operand: sum, value: total }],
      },
      {
        kind: "map",
        name: "divide",
        loops: [columns],
        outputs: [{ operand: 1, value: quotient }],
      },
    ],
  }
}

/**
 * Sums of `heads` groups of a row, stored, and the row divided by the sum of its group: a reduction
 * with several results, and outer loops of two dimensions.
 */
export const groupShares = (
  outer: readonly [number, number],
  heads: number,
  width: number,
): Ir.RowsKernel => {
  const b = new Ir.ExpressionBuilder()
  const [i, j] = outer.map((extent, axis) => b.variable(axis, extent))
  const [head, within] = [b.variable(2, heads), b.variable(3, width)]
  const rows = outer[0] * outer[1]
  const size = rows * heads * width
  const x = b.load(0, b.linearize([i, j, head, within], [...outer, heads, width]), "f32")
  const sums = 3
  const share = b.binary("divide", x, b.load(sums, head, "f32"))
  return {
    kind: "rows",
    name: "shares",
    loops: outer,
    operands: [read(size), write(rows * heads), write(size)],
    locals: [{ dtype: "f32", length: heads }],
    stages: [
      {
        kind: "reduce",
        name: "sum",
        loops: [heads],
        reduceLoops: [width],
        elements: [b.binary("multiply", x, x)],
        combine: fold(b, "add", 0),
        outputs: [
          { operand: 1, value: b.argument(0, "f32") },
          { operand: sums, value: b.argument(0, "f32") },
        ],
      },
      {
        kind: "map",
        name: "divide",
        loops: [heads, width],
        outputs: [{ operand: 2, value: share }],
      },
    ],
  }
}
