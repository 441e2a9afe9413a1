import { Ir } from "@espalier/tensor"
import type { DType } from "@espalier/tensor"

/** Small kernels of every kind, as the scheduler would make them. */

const product = (extents: ReadonlyArray<number>) => extents.reduce((a, b) => a * b, 1)
const read = (length: number, dtype: DType = "f32"): Ir.Operand => ({
  dtype,
  length,
  access: "read",
})
const write = (length: number, dtype: DType = "f32"): Ir.Operand => ({
  dtype,
  length,
  access: "write",
})

/** `out = exp(x) + y[column]` over a matrix, `y` repeated for each row. */
export const map = (rows: number, columns: number): Ir.MapKernel => {
  const b = new Ir.ExpressionBuilder()
  const loops = [rows, columns]
  const index = loops.map((extent, i) => b.variable(i, extent))
  const x = b.load(0, b.linearize(index, loops), "f32")
  const y = b.load(1, index[1], "f32")
  return {
    kind: "map",
    name: "exp+add",
    loops,
    operands: [read(rows * columns), read(columns), write(rows * columns)],
    outputs: [{ operand: 2, value: b.binary("add", b.unary("exp", x), y) }],
  }
}

/** `out = x + x[transposed] + row number + the next element`: loads of every alignment. */
export const shifted = (rows: number, columns: number): Ir.MapKernel => {
  const b = new Ir.ExpressionBuilder()
  const loops = [rows, columns]
  const [row, column] = loops.map((extent, i) => b.variable(i, extent))
  const plain = b.load(0, b.linearize([row, column], loops), "f32")
  const turned = b.load(1, b.linearize([column, row], [columns, rows]), "f32")
  const next = b.load(2, b.add(b.linearize([row, column], loops), 1), "f32")
  const sum = b.binary("add", b.binary("add", plain, turned), b.cast(column, "f32"))
  const length = rows * columns
  return {
    kind: "map",
    name: "shifted",
    loops,
    operands: [read(length), read(length), read(length + 4), write(length)],
    outputs: [{ operand: 3, value: b.binary("multiply", sum, next) }],
  }
}

/** `out = function(x)`, elementwise. */
export const unary = (name: Ir.Unary["function"], length: number): Ir.MapKernel => {
  const b = new Ir.ExpressionBuilder()
  const x = b.load(0, b.variable(0, length), "f32")
  return {
    kind: "map",
    name,
    loops: [length],
    operands: [read(length), write(length)],
    outputs: [{ operand: 1, value: b.unary(name, x) }],
  }
}

/** `out = function(x, y)`, elementwise. */
export const binary = (
  name: Ir.Binary["function"],
  length: number,
  dtype: DType = "f32",
): Ir.MapKernel => {
  const b = new Ir.ExpressionBuilder()
  const at = b.variable(0, length)
  const value = b.binary(name, b.load(0, at, dtype), b.load(1, at, dtype))
  return {
    kind: "map",
    name,
    loops: [length],
    operands: [read(length, dtype), read(length, dtype), write(length, value.dtype)],
    outputs: [{ operand: 2, value }],
  }
}

/** Conversion, elementwise. */
export const cast = (from: DType, to: DType, length: number): Ir.MapKernel => {
  const b = new Ir.ExpressionBuilder()
  const x = b.load(0, b.variable(0, length), from)
  return {
    kind: "map",
    name: `cast ${from} ${to}`,
    loops: [length],
    operands: [read(length, from), write(length, to)],
    outputs: [{ operand: 1, value: b.cast(x, to) }],
  }
}

const fold = (b: Ir.ExpressionBuilder, name: "add" | "maximum", identity: number): Ir.Combine => ({
  name,
  dtypes: ["f32"],
  identity: [identity],
  result: [b.binary(name, b.argument(0, "f32"), b.argument(1, "f32"))],
})

/** Sum of squares (or the maximum of squares) over the last axes of `[...loops, ...reduceLoops]`. */
export const reduce = (
  loops: ReadonlyArray<number>,
  reduceLoops: ReadonlyArray<number>,
  name: "add" | "maximum" = "add",
): Ir.ReduceKernel => {
  const b = new Ir.ExpressionBuilder()
  const shape = [...loops, ...reduceLoops]
  const index = shape.map((extent, i) => b.variable(i, extent))
  const x = b.load(0, b.linearize(index, shape), "f32")
  const result = b.argument(0, "f32")
  return {
    kind: "reduce",
    name: name === "add" ? "sum" : "max",
    loops,
    reduceLoops,
    operands: [read(product(shape)), write(product(loops))],
    elements: [b.binary("multiply", x, x)],
    combine: fold(b, name, name === "add" ? 0 : -3.4028234663852886e38),
    outputs: [{ operand: 1, value: b.unary("sqrt", result) }],
  }
}

/**
 * The recurrence h ← a·h + x as a fold of pairs `(a, x)`, which joins only neighbours: what comes
 * out shows whether the order was kept.
 */
const recurrence = (b: Ir.ExpressionBuilder): Ir.Combine => {
  const [a, h, c, x] = [0, 1, 2, 3].map((slot) => b.argument(slot, "f32"))
  return {
    name: "recurrence",
    dtypes: ["f32", "f32"],
    identity: [1, 0],
    result: [b.binary("multiply", a, c), b.binary("add", b.binary("multiply", c, h), x)],
  }
}

export const orderedReduce = (rows: number, length: number): Ir.ReduceKernel => {
  const b = new Ir.ExpressionBuilder()
  const index = [b.variable(0, rows), b.variable(1, length)]
  const at = b.linearize(index, [rows, length])
  return {
    kind: "reduce",
    name: "recurrence",
    loops: [rows],
    reduceLoops: [length],
    operands: [read(rows * length), read(rows * length), write(rows)],
    elements: [b.load(0, at, "f32"), b.load(1, at, "f32")],
    combine: recurrence(b),
    outputs: [{ operand: 2, value: b.argument(1, "f32") }],
  }
}

export const scan = (rows: number, length: number): Ir.ScanKernel => {
  const b = new Ir.ExpressionBuilder()
  const index = [b.variable(0, rows), b.variable(1, length)]
  const at = b.linearize(index, [rows, length])
  return {
    kind: "scan",
    name: "recurrence",
    loops: [rows],
    length,
    operands: [read(rows * length), read(rows * length), write(rows * length)],
    elements: [b.load(0, at, "f32"), b.load(1, at, "f32")],
    combine: recurrence(b),
    outputs: [{ operand: 2, value: b.argument(1, "f32") }],
  }
}

/** `relu(left · right + bias)`, with the right operand transposed in memory where asked. */
export const contract = (
  batch: number,
  m: number,
  n: number,
  k: number,
  transposed = false,
): Ir.ContractKernel => {
  const b = new Ir.ExpressionBuilder()
  const variables = [batch, m, n, k].map((extent, i) => b.variable(i, extent))
  const [vb, vm, vn, vk] = [variables[0], variables[1], variables[2], variables[3]]
  const right = transposed
    ? b.linearize([vb, vn, vk], [batch, n, k])
    : b.linearize([vb, vk, vn], [batch, k, n])
  const sum = b.binary("add", b.argument(0, "f32"), b.load(2, vn, "f32"))
  return {
    kind: "contract",
    name: "matmul+bias+relu",
    batch: [batch],
    m,
    n,
    k,
    operands: [read(batch * m * k), read(batch * k * n), read(n), write(batch * m * n)],
    left: b.load(0, b.linearize([vb, vm, vk], [batch, m, k]), "f32"),
    right: b.load(1, right, "f32"),
    outputs: [{ operand: 3, value: b.binary("maximum", sum, b.constant(0, "f32")) }],
  }
}

/** Rows of updates by an index operand: `initial` is operand 2 where there is one. */
export const scatter = (
  updates: number,
  rows: number,
  inner: number,
  mode: "set" | "add",
  initial: boolean,
): Ir.ScatterKernel => {
  const b = new Ir.ExpressionBuilder()
  const [t, d] = [b.variable(0, updates), b.variable(1, inner)]
  const value = b.load(1, b.linearize([t, d], [updates, inner]), "f32")
  const start = initial ? [read(rows * inner)] : []
  return {
    kind: "scatter",
    name: `scatter ${mode}`,
    updates,
    rows,
    inner,
    mode,
    initial: initial ? 2 : undefined,
    row: b.load(0, t, "i32"),
    value,
    operands: [read(updates, "i32"), read(updates * inner), ...start, write(rows * inner)],
    outputs: [{ operand: initial ? 3 : 2, value }],
  }
}
