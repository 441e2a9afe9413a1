import type { DType, HostData } from "../dtype.ts"
import type { HostArray } from "../host_array.ts"
import { wrap } from "../ir/evaluate_scalar.ts"
import { forEachIndex, sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import { normalizeAxis } from "./movement_rules.ts"
import { defineOperation } from "./operation.ts"

type Typed = { readonly shape: ReadonlyArray<number>; readonly dtype: DType }

export const inputRow = defineOperation<Typed & { readonly index: number; readonly path: string }>({
  name: "input",
  summary: "an array given to the program when it runs",
  arity: 0,
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  gradient: () => [],
  lower: { kind: "source" },
  reference: () => [],
  examples: [],
  tolerance: 0,
})

/** Input number `index` of the program that is being traced. */
export const input = (
  index: number,
  path: string,
  shape: ReadonlyArray<number>,
  dtype: DType,
): Tensor => apply(inputRow, [], { index, path, shape, dtype })

export const literalRow = defineOperation<Typed & { readonly data: HostData }>({
  name: "literal",
  summary: "an array that is part of the program",
  arity: 0,
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  gradient: () => [],
  lower: { kind: "source" },
  reference: (_, { data }) => data,
  examples: [],
  tolerance: 0,
})

/**
 * A small array that is part of the program, such as a table of rotations. Values of an `f32` array
 * given in a `Float64Array` are rounded where the device is not an `f64` one.
 */
export const fromHost = ({ shape, dtype, data }: HostArray): Tensor =>
  apply(literalRow, [], { shape, dtype, data })

export const scalarRow = defineOperation<{ readonly value: number; readonly dtype: DType }>({
  name: "scalar",
  summary: "one number, known when the program is traced",
  arity: 0,
  infer: (_, { dtype }) => ({ shape: [], dtype }),
  gradient: () => [],
  lower: {
    kind: "view",
    value: ({ builder, attributes }) => builder.constant(attributes.value, attributes.dtype),
  },
  reference: (_, { value, dtype }) => [wrap(dtype, value)],
  examples: [
    { inputs: [], attributes: { value: 2.5, dtype: "f32" } },
    { inputs: [], attributes: { value: -7, dtype: "i32" } },
    { inputs: [], attributes: { value: 4_000_000_000, dtype: "u32" } },
    { inputs: [], attributes: { value: 1, dtype: "bool" } },
  ],
  tolerance: 3e-7,
})

/** A number as a tensor of shape `[]`. */
export const scalar = (value: number, dtype: DType = "f32"): Tensor =>
  apply(scalarRow, [], { value, dtype })

export const iotaRow = defineOperation<Typed & { readonly axis: number }>({
  name: "iota",
  summary: "the index along one axis",
  arity: 0,
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  gradient: () => [],
  lower: {
    kind: "view",
    value: ({ builder, attributes }, index) =>
      builder.cast(index[attributes.axis], attributes.dtype),
  },
  reference: (_, { axis }, { shape }) => {
    const values = new Float64Array(sizeOf(shape))
    forEachIndex(shape, (index, position) => {
      values[position] = index[axis]!
    })
    return values
  },
  examples: [
    { inputs: [], attributes: { shape: [7], dtype: "i32", axis: 0 } },
    { inputs: [], attributes: { shape: [3, 65], dtype: "f32", axis: 1 } },
    { inputs: [], attributes: { shape: [3, 5], dtype: "u32", axis: 0 } },
  ],
  tolerance: 0,
})

/** The index along `axis` of a tensor of `shape`. */
export const iota = (shape: ReadonlyArray<number>, axis: number, dtype: DType = "i32"): Tensor =>
  apply(iotaRow, [], { shape, dtype, axis: normalizeAxis("iota", shape, axis) })

export const sourceRows = [inputRow, literalRow, scalarRow, iotaRow]
