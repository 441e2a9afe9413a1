import type { ConformanceCase } from "./case.ts"
import { termScale } from "./bounds.ts"
import { generator } from "./case.ts"
import type { ViewKind } from "./views.ts"
import { viewed, viewKinds } from "./views.ts"
import { allocate, isFloat } from "../dtype.ts"
import type { HostArray } from "../host_array.ts"
import type { Attributes, Example, Operation } from "../ops/operation.ts"
import { operations } from "../ops/table.ts"
import * as Programs from "../program.ts"
import { Spec } from "../program.ts"
import { sizeOf } from "../shape.ts"
import type { TensorType } from "../tensor.ts"
import { apply } from "../tensor.ts"

type AnyExample = Example<Attributes>

const named = (example: AnyExample): string =>
  [
    ...example.inputs.map(({ dtype, shape }) => `${dtype} [${shape.join(", ")}]`),
    ...Object.entries(example.attributes).map(([key, value]) => `${key} ${String(value)}`),
  ].join(", ")

/** What the row's own reference gives. */
const referenceOf = (
  row: Operation,
  { attributes }: AnyExample,
  inputs: ReadonlyArray<HostArray>,
  { shape, dtype }: TensorType,
): HostArray => {
  const values = row.reference(inputs, attributes, { shape, dtype })
  const data = isFloat(dtype) ? new Float64Array(values.length) : allocate(dtype, values.length)
  data.set(values)
  return { shape, dtype, data }
}

/** Every device has these; `f16` and `f64` exist on some. */
const everywhere = ({ inputs }: AnyExample): boolean =>
  inputs.every(({ dtype }) => dtype !== "f64" && dtype !== "f16")

/** Several examples of one row in one program, each operand a view of the kind asked for. */
const caseOf = (
  name: string,
  row: Operation,
  examples: ReadonlyArray<AnyExample>,
  kindOf: (example: number, input: number) => ViewKind,
  seed: number,
): ConformanceCase => {
  const random = generator(seed)
  const inputs = examples.map((example, at) =>
    example.inputs.map((input, i) => viewed(kindOf(at, i), input, random)),
  )
  const buffers = inputs.flat().map(({ buffer }) => buffer)
  const specs = buffers.map(({ shape, dtype }) => new Spec(shape, dtype))
  const program = Programs.make(name, specs, (tensors) => {
    let next = 0
    return examples.map((example, at) => {
      const own = inputs[at].map(({ view }) => view(tensors[next++]))
      return apply(row, own, example.attributes)
    })
  })
  const expected = examples.map((example, at) =>
    referenceOf(
      row,
      example,
      inputs[at].map(({ values }) => values),
      row.infer(example.inputs, example.attributes),
    ),
  )
  const labels = examples.map((example, at) => {
    const kinds = inputs[at].map((_, i) => kindOf(at, i)).join(" and ")
    return `${named(example)}${kinds === "" ? "" : `, ${kinds}`}`
  })
  const adds = row.lower.kind !== "pointwise" && row.lower.kind !== "view"
  const scales = inputs.map((own, at) => {
    const values = own.map((input) => input.values)
    return Math.max(1e-30, adds ? termScale(values, expected[at].data.length) : 0)
  })
  return { name, program, inputs: buffers, expected, labels, scales, tolerance: row.tolerance }
}

const withExamples = operations.filter((row) => row.examples.some(everywhere))

/** How much of the suite is wanted. */
export interface RowOptions {
  /** Examples of each row; default all of them. Which ones depends on the seed. */
  readonly atMost?: number
}

/** So many of the list, evenly spread. */
const some = <A>(list: ReadonlyArray<A>, seed: number, atMost = Infinity): ReadonlyArray<A> => {
  if (list.length <= atMost) return list
  const turn = seed % list.length
  const turned = [...list.slice(turn), ...list.slice(0, turn)]
  return Array.from({ length: atMost }, (_, i) => turned[Math.floor((i * list.length) / atMost)])
}

/** A case for each row of the op table with the row's own examples, judged by its reference. */
export const rowCases = (seed = 1, { atMost }: RowOptions = {}): ReadonlyArray<ConformanceCase> =>
  withExamples.map((row, i) => {
    const examples = some(row.examples.filter(everywhere), seed, atMost)
    return caseOf(row.name, row, examples, () => "plain", (seed % 2 ** 20) * 1000 + i)
  })

/** One element, and both sides of a vector, a workgroup and a cache line. */
const edges = [1, 63, 64, 65]
/** Larger examples than this show nothing that smaller ones do not. */
const largest = 9000
/** Equal terms round the same way each: the errors of longer sums of them add up. */
const mostTerms = 500

/**
 * The example with other extents: equal ones stay equal, so that operands still fit together.
 * Where the attributes no longer fit, the row refuses it, and there is no such example.
 */
const resized = (row: Operation, example: AnyExample, turn: number): AnyExample | undefined => {
  const known = new Map<number, number>()
  const rename = (extent: number): number => {
    if (extent === 1) return 1
    const edge = known.get(extent) ?? edges[(known.size + turn) % edges.length]
    known.set(extent, edge)
    return edge
  }
  const inputs = example.inputs.map((input) => ({ ...input, shape: input.shape.map(rename) }))
  const { shape } = example.attributes
  const attributes = Array.isArray(shape)
    ? { ...example.attributes, shape: (shape as ReadonlyArray<number>).map(rename) }
    : example.attributes
  try {
    const output = row.infer(inputs, attributes)
    const sizes = [...inputs, output].map((type) => sizeOf(type.shape))
    const whole = output.shape.every((extent) => extent > 0)
    const small = Math.max(...sizes) <= Math.min(largest, mostTerms * sizeOf(output.shape))
    return whole && small ? { inputs, attributes } : undefined
  } catch {
    return undefined
  }
}

/** Every different example that resizing gives, at most one of each kind. */
const edgeExamples = (row: Operation): ReadonlyArray<AnyExample> => {
  const found = new Map<string, AnyExample>()
  for (const example of row.examples.filter(everywhere)) {
    for (const turn of edges.keys()) {
      const made = resized(row, example, turn)
      if (made !== undefined) found.set(named(made), made)
    }
  }
  return [...found.values()]
}

/**
 * A case for each row at extents of 1, 63, 64 and 65, whose operands are in turn plain arrays and
 * permuted, sliced, repeated and reversed views of arrays that hold garbage elsewhere.
 *
 * There are no extents of 0: a tensor of that shape cannot be made, see `Tensor`.
 */
export const viewCases = (seed = 1, { atMost }: RowOptions = {}): ReadonlyArray<ConformanceCase> =>
  withExamples.flatMap((row, i) => {
    const examples = some(edgeExamples(row), seed, atMost)
    const kindOf = (example: number, input: number): ViewKind =>
      viewKinds[(example + 2 * input + seed) % viewKinds.length]
    return examples.length === 0
      ? []
      : [caseOf(`${row.name} of views`, row, examples, kindOf, (seed % 2 ** 20) * 2000 + i)]
  })
