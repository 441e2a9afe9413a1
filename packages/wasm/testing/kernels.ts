import type { DType, HostData } from "@espalier/tensor"
import { Ir } from "@espalier/tensor"
import type { KernelCase } from "./run_kernel.ts"
import { floats, integers } from "./run_kernel.ts"

type Build = Ir.ExpressionBuilder
type Expression = Ir.Expression

const read = (dtype: DType, length: number): Ir.Operand => ({ dtype, length, access: "read" })
const write = (dtype: DType, length: number): Ir.Operand => ({ dtype, length, access: "write" })
const size = (extents: ReadonlyArray<number>): number => extents.reduce((p, e) => p * e, 1)

const variables = (b: Build, extents: ReadonlyArray<number>): ReadonlyArray<Expression> =>
  extents.map((extent, i) => b.variable(i, extent))

/** Ways of reading a matrix `[rows, columns]`, by the element index they give. */
export const views = {
  plain: (
    b: Build,
    [i, j]: readonly [Expression, Expression],
    [, columns]: readonly [number, number],
  ) => b.add(b.multiply(i, columns), j),
  transposed: (
    b: Build,
    [i, j]: readonly [Expression, Expression],
    [rows]: readonly [number, number],
  ) => b.add(b.multiply(j, rows), i),
  flipped: (
    b: Build,
    [i, j]: readonly [Expression, Expression],
    [, columns]: readonly [number, number],
  ) => b.add(b.multiply(i, columns), b.subtract(b.constant(columns - 1, "i32"), j)),
  rowsOnly: (_: Build, [i]: readonly [Expression, Expression]) => i,
  columnsOnly: (_: Build, [, j]: readonly [Expression, Expression]) => j,
  everyOther: (
    b: Build,
    [i, j]: readonly [Expression, Expression],
    [rows, columns]: readonly [number, number],
  ) => b.remainder(b.add(b.multiply(i, 2 * columns), b.multiply(j, 2)), rows * columns),
} as const

export type View = keyof typeof views

const combines = (b: Build): Record<"sum" | "maximum" | "argmax" | "any", Ir.Combine> => {
  const f = (slot: number) => b.argument(slot, "f32")
  const i = (slot: number) => b.argument(slot, "i32")
  const larger = b.binary("less", f(0), f(2))
  return {
    sum: { name: "sum", dtypes: ["f32"], identity: [0], result: [b.binary("add", f(0), f(1))] },
    maximum: {
      name: "maximum",
      dtypes: ["f32"],
      identity: [-Infinity],
      result: [b.binary("maximum", f(0), f(1))],
    },
    // The first of equal maxima wins, by order alone: associative, not commutative.
    argmax: {
      name: "argmax",
      dtypes: ["f32", "i32"],
      identity: [-Infinity, 0],
      result: [b.select(larger, f(2), f(0)), b.select(larger, i(3), i(1))],
    },
    any: {
      name: "any",
      dtypes: ["bool"],
      identity: [0],
      result: [b.binary("or", b.argument(0, "bool"), b.argument(1, "bool"))],
    },
  }
}

export type Folding = "sum" | "maximum" | "argmax" | "any"

/** `out[i, j] = 2·x[view(i, j)] + y[i, j]`, and a mask that says where it is positive. */
export const mapCase = (rows: number, columns: number, view: View): KernelCase => {
  const b = new Ir.ExpressionBuilder()
  const [i, j] = [b.variable(0, rows), b.variable(1, columns)]
  const n = rows * columns
  const x = b.load(0, views[view](b, [i, j], [rows, columns]), "f32")
  const y = b.load(1, b.add(b.multiply(i, columns), j), "f32")
  const value = b.binary("add", b.binary("multiply", x, b.constant(2, "f32")), y)
  return {
    kernel: {
      kind: "map",
      name: `map ${view}`,
      loops: [rows, columns],
      operands: [read("f32", n), read("f32", n), write("f32", n), write("bool", n)],
      outputs: [
        { operand: 2, value },
        { operand: 3, value: b.binary("less", b.constant(0, "f32"), value) },
      ],
    },
    inputs: [floats(n, 1), floats(n, 2)],
  }
}

/** `out[i, j] = table[indices[j], i] + j`: loads whose index is loaded. */
export const gatherCase = (rows: number, columns: number): KernelCase => {
  const b = new Ir.ExpressionBuilder()
  const [i, j] = [b.variable(0, rows), b.variable(1, columns)]
  const index = b.load(1, j, "i32")
  const loaded = b.load(0, b.add(b.multiply(index, rows), i), "f32")
  return {
    kernel: {
      kind: "map",
      name: "gather",
      loops: [rows, columns],
      operands: [read("f32", 7 * rows), read("i32", columns), write("f32", rows * columns)],
      outputs: [{ operand: 2, value: b.binary("add", loaded, b.cast(j, "f32")) }],
    },
    inputs: [floats(7 * rows), integers(columns, 7)],
  }
}

/** Folds `x[view]` over axis 0 or 1 of `[rows, columns]`; few different values make ties. */
export const reduceCase = (
  rows: number,
  columns: number,
  axis: 0 | 1,
  view: View,
  folding: Folding,
): KernelCase => {
  const b = new Ir.ExpressionBuilder()
  const combine = combines(b)[folding]
  const extents: readonly [number, number] = [rows, columns]
  const [kept, folded] = axis === 1 ? [rows, columns] : [columns, rows]
  const [outer, inner] = [b.variable(0, kept), b.variable(1, folded)]
  const point = axis === 1 ? ([outer, inner] as const) : ([inner, outer] as const)
  const loaded = b.load(0, views[view](b, point, extents), "f32")
  const elements =
    folding === "argmax"
      ? [loaded, inner]
      : folding === "any"
        ? [b.binary("less", b.constant(0.9, "f32"), loaded)]
        : [loaded]
  const outputs = combine.dtypes.map((dtype, slot) => ({
    operand: 1 + slot,
    value: b.argument(slot, dtype),
  }))
  return {
    kernel: {
      kind: "reduce",
      name: `${folding} ${view} ${axis}`,
      loops: [kept],
      reduceLoops: [folded],
      operands: [read("f32", rows * columns), ...combine.dtypes.map((d) => write(d, kept))],
      outputs,
      elements,
      combine,
    },
    inputs: [floats(rows * columns).map((x) => Math.round(x * 8) / 8)],
  }
}

/** Inclusive running sums (or argmax) along the last axis. */
export const scanCase = (rows: number, length: number, folding: "sum" | "argmax"): KernelCase => {
  const b = new Ir.ExpressionBuilder()
  const combine = combines(b)[folding]
  const [i, t] = [b.variable(0, rows), b.variable(1, length)]
  const loaded = b.load(0, b.add(b.multiply(i, length), t), "f32")
  return {
    kernel: {
      kind: "scan",
      name: `scan ${folding}`,
      loops: [rows],
      length,
      operands: [read("f32", rows * length), ...combine.dtypes.map((d) => write(d, rows * length))],
      outputs: combine.dtypes.map((dtype, slot) => ({
        operand: 1 + slot,
        value: b.argument(slot, dtype),
      })),
      elements: folding === "argmax" ? [loaded, t] : [loaded],
      combine,
    },
    inputs: [floats(rows * length).map((x) => Math.round(x * 8) / 8)],
  }
}

/** Adds or sets rows of updates; some row numbers are out of range. */
export const scatterCase = (
  updates: number,
  rows: number,
  inner: number,
  mode: "set" | "add",
  withInitial: boolean,
): KernelCase => {
  const b = new Ir.ExpressionBuilder()
  const [t, d] = [b.variable(0, updates), b.variable(1, inner)]
  const value = b.load(1, b.add(b.multiply(t, inner), d), "f32")
  const operands = [
    read("i32", updates),
    read("f32", updates * inner),
    ...(withInitial ? [read("f32", rows * inner)] : []),
    write("f32", rows * inner),
  ]
  const output = operands.length - 1
  return {
    kernel: {
      kind: "scatter",
      name: `scatter ${mode}`,
      updates,
      rows,
      inner,
      row: b.subtract(b.load(0, t, "i32"), 1),
      value,
      mode,
      initial: withInitial ? 2 : undefined,
      operands,
      outputs: [{ operand: output, value }],
    },
    inputs: [
      integers(updates, rows + 2),
      floats(updates * inner, 3),
      ...(withInitial ? [floats(rows * inner, 4)] : []),
    ],
  }
}

/** How the operands of a product lie in memory, and what is done to its result. */
export interface ContractOptions {
  readonly batch?: ReadonlyArray<number>
  readonly left?: "plain" | "transposed"
  readonly right?: "plain" | "transposed" | "shared"
  readonly epilogue?: boolean
}

/** A batched matrix product, with `+ bias[n]` and ReLU behind it where asked for. */
export const contractCase = (
  m: number,
  n: number,
  k: number,
  options: ContractOptions = {},
): KernelCase => {
  const b = new Ir.ExpressionBuilder()
  const batch = options.batch ?? []
  const all = variables(b, [...batch, m, n, k])
  const place = b.linearize(all.slice(0, batch.length), batch)
  const [row, column, inner] = all.slice(batch.length) as [Expression, Expression, Expression]
  const matrix = (
    operand: number,
    [r, c]: readonly [Expression, Expression],
    [height, width]: readonly [number, number],
    layout: "plain" | "transposed" | "shared",
  ): Expression => {
    const turned = layout === "transposed"
    const within = turned ? b.add(b.multiply(c, height), r) : b.add(b.multiply(r, width), c)
    const whole = layout === "shared" ? within : b.add(b.multiply(place, height * width), within)
    return b.load(operand, whole, "f32")
  }
  const count = size(batch)
  const rightCount = options.right === "shared" ? 1 : count
  const sum = b.argument(0, "f32")
  const value =
    options.epilogue === true
      ? b.binary("maximum", b.binary("add", sum, b.load(2, column, "f32")), b.constant(0, "f32"))
      : sum
  const bias = options.epilogue === true ? [read("f32", n)] : []
  const operands = [
    read("f32", count * m * k),
    read("f32", rightCount * k * n),
    ...bias,
    write("f32", count * m * n),
  ]
  const inputs: ReadonlyArray<HostData> = [
    floats(count * m * k, 5),
    floats(rightCount * k * n, 6),
    ...(options.epilogue === true ? [floats(n, 7)] : []),
  ]
  return {
    kernel: {
      kind: "contract",
      name: `contract ${m}x${n}x${k} ${JSON.stringify(options)}`,
      batch,
      m,
      n,
      k,
      left: matrix(0, [row, inner], [m, k], options.left ?? "plain"),
      right: matrix(1, [inner, column], [k, n], options.right ?? "plain"),
      operands,
      outputs: [{ operand: operands.length - 1, value }],
    },
    inputs,
  }
}

/** Which dimension of a matrix of packed codes lies along memory. */
export type CodeLayout = "columns" | "rows"

/** The weight of a code in a word of several: `(code − zero) · scale[column]`. */
const decoded = (
  b: Build,
  bits: 4 | 8,
  [row, column]: readonly [Expression, Expression],
  [rows, columns]: readonly [number, number],
  layout: CodeLayout,
): Expression => {
  const place =
    layout === "columns"
      ? b.linearize([row, column], [rows, columns])
      : b.linearize([column, row], [columns, rows])
  const count = b.cast(b.multiply(b.remainder(place, 32 / bits), bits), "u32")
  const word = b.load(1, b.divide(place, 32 / bits), "u32")
  const code = b.binary(
    "and",
    b.binary("shiftRight", word, count),
    b.constant(2 ** bits - 1, "u32"),
  )
  const centred = b.binary("subtract", b.cast(code, "f32"), b.constant(2 ** (bits - 1), "f32"))
  return b.binary("multiply", centred, b.load(2, column, "f32"))
}

const words = (count: number): Uint32Array =>
  Uint32Array.from(floats(count, 8), (x) => Math.floor((x + 1) * 2 ** 31))

/** A product whose right side is decoded from 4-bit or 8-bit codes on the way. */
export const codesCase = (
  bits: 4 | 8,
  [m, n, k]: readonly [number, number, number],
  layout: CodeLayout,
): KernelCase => {
  const b = new Ir.ExpressionBuilder()
  const [row, column, inner] = [b.variable(0, m), b.variable(1, n), b.variable(2, k)]
  const count = Math.ceil((n * k * bits) / 32)
  return {
    kernel: {
      kind: "contract",
      name: `codes ${bits} ${m}x${n}x${k} ${layout}`,
      batch: [],
      m,
      n,
      k,
      left: b.load(0, b.linearize([row, inner], [m, k]), "f32"),
      right: decoded(b, bits, [inner, column], [k, n], layout),
      operands: [read("f32", m * k), read("u32", count), read("f32", n), write("f32", m * n)],
      outputs: [{ operand: 3, value: b.argument(0, "f32") }],
    },
    inputs: [floats(m * k, 5), words(count), floats(n, 6)],
  }
}

/** The matrix itself, decoded, plus another one. */
export const decodeCase = (
  bits: 4 | 8,
  [rows, columns]: readonly [number, number],
  layout: CodeLayout,
): KernelCase => {
  const b = new Ir.ExpressionBuilder()
  const place = [b.variable(0, rows), b.variable(1, columns)] as const
  const count = Math.ceil((rows * columns * bits) / 32)
  const value = decoded(b, bits, place, [rows, columns], layout)
  const n = rows * columns
  const other = b.load(0, b.linearize(place, [rows, columns]), "f32")
  return {
    kernel: {
      kind: "map",
      name: `decode ${bits} ${rows}x${columns} ${layout}`,
      loops: [rows, columns],
      operands: [read("f32", n), read("u32", count), read("f32", columns), write("f32", n)],
      outputs: [{ operand: 3, value: b.binary("add", value, other) }],
    },
    inputs: [floats(n, 5), words(count), floats(columns, 6)],
  }
}

/** A product whose right side keeps two of every four neighbours along k, and where they were. */
export const twoOfFourCase = (m: number, n: number, k: number): KernelCase => {
  const b = new Ir.ExpressionBuilder()
  const [row, column, inner] = [b.variable(0, m), b.variable(1, n), b.variable(2, k)]
  const group = b.divide(b.linearize([column, inner], [n, k]), 4)
  const lane = b.cast(b.remainder(inner, 4), "u32")
  const word = b.load(2, b.divide(group, 8), "u32")
  const kept = [0, 1].map((which) => {
    const count = b.cast(b.add(b.multiply(b.remainder(group, 8), 4), 2 * which), "u32")
    const place = b.binary("and", b.binary("shiftRight", word, count), b.constant(3, "u32"))
    const value = b.load(1, b.add(b.multiply(group, 2), which), "f32")
    return b.select(b.binary("equal", place, lane), value, b.constant(0, "f32"))
  })
  const count = Math.ceil((n * k) / 32)
  // Places 0 … 3 of the first and second of each pair, never the same.
  const places = integers(8 * count, 12).map(
    (x) => (x >> 2) | ((((x >> 2) + 1 + (x % 3)) % 4) << 2),
  )
  const words = Uint32Array.from({ length: count }, (_, i) =>
    places.subarray(8 * i, 8 * i + 8).reduce((sum, code, j) => (sum | (code << (4 * j))) >>> 0, 0),
  )
  return {
    kernel: {
      kind: "contract",
      name: `two of four ${m}x${n}x${k}`,
      batch: [],
      m,
      n,
      k,
      left: b.load(0, b.linearize([row, inner], [m, k]), "f32"),
      right: b.binary("add", kept[0], kept[1]),
      operands: [
        read("f32", m * k),
        read("f32", (n * k) / 2),
        read("u32", count),
        write("f32", m * n),
      ],
      outputs: [{ operand: 3, value: b.argument(0, "f32") }],
    },
    inputs: [floats(m * k, 5), floats((n * k) / 2, 6), words],
  }
}
