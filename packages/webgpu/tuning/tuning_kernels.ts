import { Ir } from "@espalier/tensor"

/** Plain kernels of each kind, of a size at which their speed can be told from their start. */

const read = (length: number): Ir.Operand => ({ dtype: "f32", length, access: "read" })
const write = (length: number): Ir.Operand => ({ dtype: "f32", length, access: "write" })

const sum = (b: Ir.ExpressionBuilder): Ir.Combine => ({
  name: "add",
  dtypes: ["f32"],
  identity: [0],
  result: [b.binary("add", b.argument(0, "f32"), b.argument(1, "f32"))],
})

/** `x · y` of square matrices. */
export const product = (size: number): Ir.ContractKernel => {
  const b = new Ir.ExpressionBuilder()
  const [m, n, k] = [0, 1, 2].map((axis) => b.variable(axis, size))
  const shape = [size, size]
  return {
    kind: "contract",
    name: "matrix product",
    batch: [],
    m: size,
    n: size,
    k: size,
    operands: [read(size * size), read(size * size), write(size * size)],
    left: b.load(0, b.linearize([m, k], shape), "f32"),
    right: b.load(1, b.linearize([k, n], shape), "f32"),
    outputs: [{ operand: 2, value: b.argument(0, "f32") }],
  }
}

/** `x + y`, elementwise. */
export const addition = (length: number): Ir.MapKernel => {
  const b = new Ir.ExpressionBuilder()
  const at = b.variable(0, length)
  const value = b.binary("add", b.load(0, at, "f32"), b.load(1, at, "f32"))
  return {
    kind: "map",
    name: "addition",
    loops: [length],
    operands: [read(length), read(length), write(length)],
    outputs: [{ operand: 2, value }],
  }
}

/** Sums of rows. */
export const rowSums = (rows: number, columns: number): Ir.ReduceKernel => {
  const b = new Ir.ExpressionBuilder()
  const at = b.linearize([b.variable(0, rows), b.variable(1, columns)], [rows, columns])
  return {
    kind: "reduce",
    name: "row sums",
    loops: [rows],
    reduceLoops: [columns],
    operands: [read(rows * columns), write(rows)],
    elements: [b.load(0, at, "f32")],
    combine: sum(b),
    outputs: [{ operand: 1, value: b.argument(0, "f32") }],
  }
}

/** Rows divided by their sums. */
export const rowShares = (rows: number, columns: number): Ir.RowsKernel => {
  const b = new Ir.ExpressionBuilder()
  const at = b.linearize([b.variable(0, rows), b.variable(1, columns)], [rows, columns])
  const x = b.load(0, at, "f32")
  const total = b.load(2, b.constant(0, "i32"), "f32")
  return {
    kind: "rows",
    name: "row shares",
    loops: [rows],
    operands: [read(rows * columns), write(rows * columns)],
    locals: [{ dtype: "f32", length: 1 }],
    stages: [
      {
        kind: "reduce",
        name: "sum",
        loops: [],
        reduceLoops: [columns],
        elements: [x],
        combine: sum(b),
        outputs: [{ operand: 2, value: b.argument(0, "f32") }],
      },
      {
        kind: "map",
        name: "divide",
        loops: [columns],
        outputs: [{ operand: 1, value: b.binary("divide", x, total) }],
      },
    ],
  }
}

/** Running sums along rows. */
export const runningSums = (rows: number, columns: number): Ir.ScanKernel => {
  const b = new Ir.ExpressionBuilder()
  const at = b.linearize([b.variable(0, rows), b.variable(1, columns)], [rows, columns])
  return {
    kind: "scan",
    name: "running sums",
    loops: [rows],
    length: columns,
    operands: [read(rows * columns), write(rows * columns)],
    elements: [b.load(0, at, "f32")],
    combine: sum(b),
    outputs: [{ operand: 1, value: b.argument(0, "f32") }],
  }
}

/** Rows of updates added where another array says, all over the place. */
export const rowUpdates = (updates: number, rows: number, inner: number): Ir.ScatterKernel => {
  const b = new Ir.ExpressionBuilder()
  const [t, d] = [b.variable(0, updates), b.variable(1, inner)]
  const spread = b.remainder(b.multiply(t, 7919), rows)
  const value = b.load(0, b.linearize([t, d], [updates, inner]), "f32")
  return {
    kind: "scatter",
    name: "row updates",
    updates,
    rows,
    inner,
    mode: "add",
    initial: undefined,
    row: spread,
    value,
    operands: [read(updates * inner), write(rows * inner)],
    outputs: [{ operand: 1, value }],
  }
}
