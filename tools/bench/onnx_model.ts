import type { OnnxModel } from "./case.ts"
import type { Formula } from "./inputs.ts"
import { uniform } from "./inputs.ts"

/** One node of a graph. Inputs are called x0, x1, …; a node's result is what `output` says, else y. */
export interface OnnxNode {
  readonly operator: string
  readonly inputs: ReadonlyArray<string>
  readonly output?: string
  /** Whole numbers become ints, others floats. */
  readonly attributes?: Readonly<
    Record<string, { readonly int: number } | { readonly float: number }>
  >
}

// Protocol buffers by hand: a message is a list of (field, wire type, value).
const varint = (value: number): ReadonlyArray<number> => {
  const bytes: Array<number> = []
  let rest = BigInt.asUintN(64, BigInt(value))
  do {
    const more = rest > 0x7fn
    bytes.push(Number(rest & 0x7fn) | (more ? 0x80 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return bytes
}

const integer = (field: number, value: number): ReadonlyArray<number> => [
  ...varint(field * 8),
  ...varint(value),
]

const block = (field: number, bytes: ReadonlyArray<number>): ReadonlyArray<number> => [
  ...varint(field * 8 + 2),
  ...varint(bytes.length),
  ...bytes,
]

const text = (field: number, value: string) => block(field, [...new TextEncoder().encode(value)])

const float = (field: number, value: number): ReadonlyArray<number> => [
  ...varint(field * 8 + 5),
  ...new Uint8Array(Float32Array.of(value).buffer),
]

const attribute = (name: string, value: { readonly int: number } | { readonly float: number }) =>
  "int" in value
    ? [...text(1, name), ...integer(3, value.int), ...integer(20, 2)]
    : [...text(1, name), ...float(2, value.float), ...integer(20, 1)]

const node = ({ operator, inputs, output = "y", attributes = {} }: OnnxNode) => [
  ...inputs.flatMap((input) => text(1, input)),
  ...text(2, output),
  ...text(4, operator),
  ...Object.entries(attributes).flatMap(([name, value]) => block(5, attribute(name, value))),
]

/** A `ValueInfoProto` of an f32 tensor; no shape where it is left open. */
const valueInfo = (name: string, shape?: ReadonlyArray<number>) => {
  const dimensions = shape?.flatMap((extent) => block(1, integer(1, extent)))
  const tensor = [...integer(1, 1), ...(dimensions === undefined ? [] : block(2, dimensions))]
  return [...text(1, name), ...block(2, block(1, tensor))]
}

/**
 * The bytes of an ONNX model (opset 20) of f32 tensors with inputs x0, x1, … and the output y. Format:
 * onnx.proto3 of the ONNX project.
 */
export const encodeOnnx = (
  shapes: ReadonlyArray<ReadonlyArray<number>>,
  nodes: ReadonlyArray<OnnxNode>,
): Uint8Array => {
  const graph = [
    ...nodes.flatMap((each) => block(1, node(each))),
    ...text(2, "bench"),
    ...shapes.flatMap((shape, i) => block(11, valueInfo(`x${i}`, shape))),
    ...block(12, valueInfo("y")),
  ]
  const opset = block(8, [...text(1, ""), ...integer(2, 20)])
  return Uint8Array.from([...integer(1, 9), ...block(7, graph), ...opset])
}

/** A model and the values of its inputs. */
export const onnxModel = (
  formulas: ReadonlyArray<Formula>,
  nodes: ReadonlyArray<OnnxNode>,
): OnnxModel => ({
  bytes: encodeOnnx(
    formulas.map(({ shape }) => shape),
    nodes,
  ),
  feeds: Object.fromEntries(
    formulas.map((formula, i) => [`x${i}`, { shape: formula.shape, data: uniform(formula) }]),
  ),
})
