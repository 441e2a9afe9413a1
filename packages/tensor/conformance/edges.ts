import type { ConformanceCase } from "./case.ts"
import type { DType } from "../dtype.ts"
import { allocate, isFloat } from "../dtype.ts"
import type { HostArray } from "../host_array.ts"
import * as Scalar from "../ir/evaluate_scalar.ts"
import type { BinaryFunction, UnaryFunction } from "../ir/expression.ts"
import type { Operation } from "../ops/operation.ts"
import { broadcastTo } from "../ops/movement.ts"
import { scalar } from "../ops/source.ts"
import * as Programs from "../program.ts"
import { Spec } from "../program.ts"
import { apply } from "../tensor.ts"

type Numbers = ReadonlyArray<number>

const integers = {
  i32: [0, 1, -1, 2, -2, 7, -7, 31, 32, 33, 63, 46341, 2147483647, -2147483647, -2147483648],
  u32: [0, 1, 2, 7, 31, 32, 33, 63, 46341, 2147483647, 2147483648, 4294967295],
  bool: [0, 1],
} as const
const finite = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  3,
  8388609,
  -8388609,
  1e10,
  -1e10,
  2 ** -60,
]
const special = [Infinity, -Infinity, Number.NaN, 1, -1, 0, 2 ** 127, -(2 ** 127)]
/** Right operands that kernels treat differently where they are known when they are compiled. */
const constants = new Set([0, -1, 0.5, 2, 33, -2147483648])

/**
 * Functions whose value at infinities and NaN every device gives. The others are left to the
 * CPU: a GPU driver may assume that arithmetic is finite.
 */
const specialEverywhere: ReadonlySet<string> = new Set([
  "absolute",
  "exp",
  "log",
  "tanh",
  "maximum",
  "minimum",
])

const number: ReadonlyArray<DType> = ["f32", "i32", "u32"]
const float: ReadonlyArray<DType> = ["f32"]
const bits: ReadonlyArray<DType> = ["i32", "u32", "bool"]
const whole: ReadonlyArray<DType> = ["i32", "u32"]

const unary: Record<UnaryFunction, ReadonlyArray<DType>> = {
  negate: ["f32", "i32"],
  absolute: ["f32", "i32"],
  sign: float,
  floor: float,
  ceil: float,
  round: float,
  truncate: float,
  sqrt: float,
  exp: float,
  log: float,
  sin: float,
  cos: float,
  tanh: float,
  erf: float,
  not: bits,
}

const binary: Record<BinaryFunction, ReadonlyArray<DType>> = {
  add: number,
  subtract: number,
  multiply: number,
  divide: number,
  remainder: number,
  maximum: number,
  minimum: number,
  power: number,
  and: bits,
  or: bits,
  xor: bits,
  shiftLeft: whole,
  shiftRight: whole,
  equal: number,
  notEqual: number,
  less: number,
  lessEqual: number,
}
const comparisons: ReadonlySet<string> = new Set(["equal", "notEqual", "less", "lessEqual"])

/** Where a function means something on every device: overflow and lost digits are left out. */
const defined = (name: string, dtype: DType, [x, y]: Numbers): boolean => {
  switch (name) {
    case "sqrt":
    case "log":
      return !(x < 0)
    case "sin":
    case "cos":
      return Math.abs(x) < 1e4
    case "divide":
      return !isFloat(dtype) || Math.abs(y) > 1e-3
    case "remainder":
      return !isFloat(dtype) || (Math.abs(y) > 1e-3 && Math.abs(x) < 2 ** 24)
    case "power":
      if (!isFloat(dtype)) return Math.abs(x ** y) < 2 ** 53
      return x > 0 && Math.abs(y * Math.log2(x)) < 100
    default:
      return true
  }
}

/** Rows that are one scalar function, also where the op table has none for that dtype. */
const probe = (name: string, arity: 1 | 2): Operation => ({
  name,
  summary: `${name} at its edges`,
  arity,
  infer: ([x]) => ({ shape: x.shape, dtype: comparisons.has(name) ? "bool" : x.dtype }),
  gradient: null,
  lower: {
    kind: "pointwise",
    value: ({ builder }, [x, y]) =>
      arity === 1
        ? builder.unary(name as UnaryFunction, x)
        : builder.binary(name as BinaryFunction, x, y),
  },
  reference: () => [],
  examples: [],
  tolerance: 0,
})

/** A cast to `dtype` has its name after the arrow. */
const castProbe = (to: DType): Operation => ({
  ...probe(`cast to ${to}`, 1),
  infer: ([x]) => ({ shape: x.shape, dtype: to }),
  lower: { kind: "pointwise", value: ({ builder }, [x]) => builder.cast(x, to) },
})

const column = (dtype: DType, values: Numbers): HostArray => {
  const data = allocate(dtype, values.length)
  data.set(values)
  return { shape: [values.length], dtype, data }
}

/** Approximated functions; everything else is exact or rounded once. */
const tolerances: Record<string, number> = {
  exp: 2e-6,
  sin: 2e-6,
  cos: 2e-6,
  log: 2e-6,
  tanh: 2e-6,
  erf: 2e-6,
  power: 2e-5,
}

interface Probe {
  readonly name: string
  readonly row: Operation
  /** One for each operand. */
  readonly dtypes: ReadonlyArray<DType>
  readonly points: ReadonlyArray<Numbers>
  readonly value: (point: Numbers) => number
}

/** Neither an overflow nor a subnormal number of `f32`: there an `f64` device is right in its own way. */
const representable = (value: number): boolean =>
  !Number.isFinite(value) || value === 0 || (Math.abs(value) > 1e-37 && Math.abs(value) < 3e38)

const distinct = (values: Numbers): Numbers => [...new Set(values)]

/** Each point from memory, and once more with the right operand known when the program is traced. */
const caseOf = ({ name, row, dtypes, points: all, value }: Probe): ConformanceCase => {
  const points = all.filter((point) => representable(value(point)))
  const known = distinct(points.map((point) => point[1]))
    .filter((y) => constants.has(y))
    .map((y) => ({
      y,
      xs: distinct(points.filter((point) => Object.is(point[1], y)).map(([x]) => x)),
    }))
  const inputs = [
    ...dtypes.map((dtype, i) =>
      column(
        dtype,
        points.map((point) => point[i]),
      ),
    ),
    ...known.map(({ xs }) => column(dtypes[0], xs)),
  ]
  const specs = inputs.map(({ shape, dtype }) => new Spec(shape, dtype))
  const program = Programs.make(name, specs, (tensors) => [
    apply(row, tensors.slice(0, dtypes.length), {}),
    ...known.map(({ y }, i) => {
      const x = tensors[dtypes.length + i]
      return apply(row, [x, broadcastTo(scalar(y, dtypes[1]), x.shape)], {})
    }),
  ])
  const { dtype: result } = row.infer([{ shape: [1], dtype: dtypes[0] }], {})
  const expect = (all: ReadonlyArray<Numbers>): HostArray => {
    const values = all.map(value)
    if (!isFloat(result)) return column(result, values)
    return { shape: [values.length], dtype: result, data: Float64Array.from(values, Math.fround) }
  }
  return {
    name,
    program,
    inputs,
    expected: [expect(points), ...known.map(({ y, xs }) => expect(xs.map((x) => [x, y])))],
    labels: ["from memory", ...known.map(({ y }) => `with the constant ${y}`)],
    tolerance: tolerances[row.name] ?? 1.2e-7,
    each: true,
  }
}

const valuesOf = (dtype: DType): Numbers => (isFloat(dtype) ? finite : integers[dtype as "i32"])
const pairs = (xs: Numbers, ys: Numbers): ReadonlyArray<Numbers> =>
  xs.flatMap((x) => ys.map((y) => [x, y]))

const unaryProbes = (name: UnaryFunction, dtype: DType): ReadonlyArray<Probe> => {
  const make = (title: string, values: Numbers): Probe => ({
    name: title,
    row: probe(name, 1),
    dtypes: [dtype],
    points: values.map((x) => [x]).filter((point) => defined(name, dtype, point)),
    value: ([x]) => Scalar.unary(name, dtype, x),
  })
  const title = `${name} of ${dtype} at its edges`
  const usual = make(title, valuesOf(dtype))
  return isFloat(dtype) ? [usual, make(`${title}, not finite`, special)] : [usual]
}

const binaryProbes = (name: BinaryFunction, dtype: DType): ReadonlyArray<Probe> => {
  const count = name === "shiftLeft" || name === "shiftRight" ? "u32" : dtype
  const make = (title: string, points: ReadonlyArray<Numbers>): Probe => ({
    name: title,
    row: probe(name, 2),
    dtypes: [dtype, count],
    points: points.filter((point) => defined(name, dtype, point)),
    value: ([x, y]) => Scalar.binary(name, dtype, x, y),
  })
  const title = `${name} of ${dtype} at its edges`
  const usual = make(title, pairs(valuesOf(dtype), valuesOf(count)))
  const extreme = make(`${title}, not finite`, pairs(special, special))
  return isFloat(dtype) && name !== "power" && name !== "remainder" ? [usual, extreme] : [usual]
}

const casts: ReadonlyArray<readonly [DType, DType, Numbers]> = [
  ["f32", "i32", [...finite, ...special, 2147483520, -2147483648, 4294967040]],
  ["f32", "u32", [...finite, ...special, 2147483520, -2147483648, 4294967040]],
  ["f32", "bool", finite],
  ["i32", "f32", integers.i32],
  ["u32", "f32", integers.u32],
  ["i32", "u32", integers.i32],
  ["u32", "i32", integers.u32],
  ["i32", "bool", integers.i32],
  ["u32", "bool", integers.u32],
  ["bool", "f32", integers.bool],
  ["bool", "i32", integers.bool],
  ["bool", "u32", integers.bool],
]
const castProbes = casts.map(([from, to, values]): Probe => ({
  name: `cast of ${from} to ${to} at its edges`,
  row: castProbe(to),
  dtypes: [from],
  points: values.map((x) => [x]),
  value: ([x]) => Scalar.cast(from, to, x),
}))

/**
 * Every scalar function of the IR where it is most easily wrong: the ends of the integers, division
 * by zero and of the lowest number by −1, shifts by 32 and more (counts are taken modulo 32),
 * integer powers, halves that round to even, infinities and NaN.
 *
 * `finiteOnly` leaves out what drivers may assume never to happen: it is for GPUs.
 */
export const edgeCases = (finiteOnly: boolean): ReadonlyArray<ConformanceCase> => {
  const probes = [
    ...Object.entries(unary).flatMap(([name, dtypes]) =>
      dtypes.flatMap((dtype) => unaryProbes(name as UnaryFunction, dtype)),
    ),
    ...Object.entries(binary).flatMap(([name, dtypes]) =>
      dtypes.flatMap((dtype) => binaryProbes(name as BinaryFunction, dtype)),
    ),
    ...castProbes,
  ]
  return probes
    .filter(
      ({ name, row }) =>
        !finiteOnly || !name.endsWith("not finite") || specialEverywhere.has(row.name),
    )
    .map(caseOf)
}
