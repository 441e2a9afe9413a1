import { HostArray } from "@espalier/tensor"
import { Result } from "effect"
import { bytesOfArray } from "../bytes.ts"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import { decodeFloats, isStoredDType, storedDTypes } from "../stored_dtype.ts"
import type { PackableTensors } from "./encode.ts"
import { unpackColumns, unpackRows, wordsFor } from "./pack_int32.ts"
import type { PackScheme } from "./quantization_config.ts"
import { decodeQuantizationConfig, schemeFor } from "./quantization_config.ts"
import type { QuantizedMatrix } from "./quantized_matrix.ts"
import type { RawTensor } from "./raw_safetensors.ts"

/** Thrown while reading, and given as a failure at the border. */
class Problem extends Error {
  readonly expected: string
  readonly found: string
  constructor(expected: string, found: string) {
    super(`expected ${expected}, found ${found}`)
    this.expected = expected
    this.found = found
  }
}

const describe = (tensor: RawTensor | undefined): string =>
  tensor === undefined ? "no such tensor" : `${tensor.dtype} [${tensor.shape.join(", ")}]`

const requireTensor = (
  tensors: ReadonlyMap<string, RawTensor>,
  name: string,
  dtypes: ReadonlyArray<string>,
  shape: ReadonlyArray<number> | undefined,
): RawTensor => {
  const found = tensors.get(name)
  const fits = shape === undefined || found?.shape.join() === shape.join()
  if (found === undefined || !dtypes.includes(found.dtype) || !fits) {
    const extents = shape === undefined ? "" : ` [${shape.join(", ")}]`
    throw new Problem(`${name} in ${dtypes.join(", ")}${extents}`, describe(found))
  }
  return found
}

/** Copies numbers out of bytes that may lie anywhere. */
const integersOf = ({ bytes }: RawTensor): Int32Array => {
  const values = new Int32Array(bytes.length / 4)
  bytesOfArray(values).set(bytes)
  return values
}

const floatsOf = (name: string, { dtype, shape, bytes }: RawTensor): Float32Array => {
  if (!isStoredDType(dtype)) throw new Problem(`${name} in ${storedDTypes.join(", ")}`, dtype)
  const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1))
  decodeFloats(dtype, bytes, values)
  return values
}

/** Outputs and inputs from `X.weight_shape`; what does not fit the packed words is refused. */
const readShape = (
  tensors: ReadonlyMap<string, RawTensor>,
  name: string,
  packed: RawTensor,
  { bits }: PackScheme,
): readonly [outputs: number, inputs: number] => {
  const { bytes } = requireTensor(tensors, `${name}_shape`, ["I64"], [2])
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const outputs = Number(view.getBigInt64(0, true))
  const inputs = Number(view.getBigInt64(8, true))
  const [rows, words] = packed.shape
  if (packed.shape.length !== 2 || rows !== outputs || words !== wordsFor(inputs, bits)) {
    const expected = `${name}_packed [${outputs}, ${wordsFor(inputs, bits)}] for [${outputs}, ${inputs}] at ${bits} bits`
    throw new Problem(expected, describe(packed))
  }
  return [outputs, inputs]
}

const decodeMatrix = (
  tensors: ReadonlyMap<string, RawTensor>,
  name: string,
  scheme: PackScheme,
): QuantizedMatrix => {
  const { bits, symmetric } = scheme
  const packed = requireTensor(tensors, `${name}_packed`, ["I32"], undefined)
  const shape = readShape(tensors, name, packed, scheme)
  const [outputs, inputs] = shape
  const groupSize = scheme.groupSize ?? inputs
  if (inputs === 0 || inputs % groupSize !== 0) {
    throw new Problem(`inputs of ${name} in groups of ${groupSize}`, `${inputs} inputs`)
  }
  const groups = inputs / groupSize
  const scaleName = `${name}_scale`
  const scales = requireTensor(tensors, scaleName, storedDTypes, [outputs, groups])
  const zeroName = `${name}_zero_point`
  const readZeros = () => {
    const extents = [wordsFor(outputs, bits), groups]
    const zeros = integersOf(requireTensor(tensors, zeroName, ["I32"], extents))
    return unpackColumns(zeros, outputs, groups, bits)
  }
  return {
    shape,
    bits,
    groupSize,
    codes: unpackRows(integersOf(packed), outputs, inputs, bits),
    scales: floatsOf(scaleName, scales),
    zeroPoints: symmetric ? new Uint8Array(outputs * groups).fill(2 ** (bits - 1)) : readZeros(),
  }
}

const ending = "_packed"
const parts = [ending, "_scale", "_shape", "_zero_point"]

/**
 * Reads tensors in the layout "pack-quantized" of compressed-tensors with 4 or 8 bits, in groups or one
 * group a row, symmetric or not: the opposite of `encodePackQuantized`. `config` is the
 * `quantization_config` of config.json; `path` is only used in messages. Tensors of several files may
 * be given together.
 *
 * Fails with {@link CheckpointFormatError} where the configuration asks for anything else, and where
 * a part of a weight is missing, too many, of another shape or dtype.
 *
 * @example
 * ```ts
 * const matrix: QuantizedMatrix = {
 *   shape: [1, 8], bits: 4, groupSize: 8,
 *   codes: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7), scales: Float32Array.of(0.5), zeroPoints: Uint8Array.of(8),
 * }
 * const { tensors, quantizationConfig } = Result.getOrThrow(
 *   encodePackQuantized({ dense: new Map(), quantized: new Map([["up.weight", matrix]]) }),
 * )
 * const back = Result.getOrThrow(decodePackQuantized(tensors, quantizationConfig, "model.safetensors"))
 * dequantizeMatrix(back.quantized.get("up.weight")!).data[0] // -4
 * ```
 */
export const decodePackQuantized = (
  tensors: ReadonlyMap<string, RawTensor>,
  config: unknown,
  path: string,
): Result.Result<PackableTensors, CheckpointFormatError> =>
  Result.flatMap(decodeQuantizationConfig(config, path), (groups) => {
    const dense = new Map<string, HostArray.HostArray>()
    const quantized = new Map<string, QuantizedMatrix>()
    const used = new Set<string>()
    try {
      for (const tensor of tensors.keys()) {
        if (!tensor.endsWith(`.weight${ending}`)) continue
        const name = tensor.slice(0, -ending.length)
        const scheme = schemeFor(groups, name.slice(0, -".weight".length))
        if (scheme === undefined) throw new Problem(`a group for ${name}`, "none that names it")
        quantized.set(name, decodeMatrix(tensors, name, scheme))
        const zeros = scheme.symmetric ? "_zero_point" : ""
        for (const part of parts) if (part !== zeros) used.add(name + part)
      }
      for (const [name, tensor] of tensors) {
        if (used.has(name)) continue
        if (quantized.has(name)) throw new Problem(`${name} packed or not`, "both")
        dense.set(name, HostArray.make(tensor.shape, floatsOf(name, tensor)))
      }
      return Result.succeed({ dense, quantized })
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      const { expected, found } = error
      const hint = "Do config.json and the weights belong together, and is no file missing?"
      return Result.fail(new CheckpointFormatError({ path, expected, found, hint }))
    }
  })
