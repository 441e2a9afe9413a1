import type { CausalLM, QuantizedMatrix } from "@espalier/models"
import {
  CheckpointFormatError,
  checkQuantizedMatrix,
  decodeRawSafetensors,
  encodeRawSafetensors,
  isSymmetric,
} from "@espalier/models"
import type { Files } from "@espalier/pipeline"
import type { GroupSize, QuantizedWeight, Scheme } from "@espalier/quantization"
import { dequantize, matrixOf, SchemeInput } from "@espalier/quantization"
import type { HostArray } from "@espalier/tensor"
import { Tree } from "@espalier/tensor"
import { Result, Schema } from "effect"

/** The codes of a model's linears, by path. */
export type QuantizedWeights = ReadonlyMap<string, QuantizedWeight>

const names = { tensors: "quantized.safetensors", schemes: "quantized.json" } as const

/** The files that {@link encodeQuantizedWeights} gives. */
export const quantizedFiles = Object.values(names)

const groups: ReadonlyArray<GroupSize> = [32, 64, 128]

const Schemes = Schema.fromJsonString(Schema.Record(Schema.String, SchemeInput))

/**
 * Codes as files: `quantized.safetensors` with `PATH.codes` (U8, a code a byte), `PATH.scales` (F32) and
 * `PATH.zeros` (U8), and `quantized.json` with the scheme of each path.
 */
export const encodeQuantizedWeights = (weights: QuantizedWeights): Files => {
  const schemes: Record<string, Scheme> = {}
  const tensors = new Map<
    string,
    { dtype: string; shape: ReadonlyArray<number>; bytes: Uint8Array }
  >()
  for (const [path, { shape, scheme, codes, scales, zeros }] of weights) {
    schemes[path] = scheme
    const perGroup = [shape[0], scales.length / shape[0]]
    const { buffer, byteOffset, byteLength } = scales
    const bytes = new Uint8Array(buffer, byteOffset, byteLength)
    tensors.set(`${path}.codes`, { dtype: "U8", shape, bytes: codes })
    tensors.set(`${path}.scales`, { dtype: "F32", shape: perGroup, bytes })
    tensors.set(`${path}.zeros`, { dtype: "U8", shape: perGroup, bytes: zeros })
  }
  return {
    [names.tensors]: encodeRawSafetensors(tensors),
    [names.schemes]: new TextEncoder().encode(`${JSON.stringify(schemes, null, 2)}\n`),
  }
}

/** Reads what {@link encodeQuantizedWeights} wrote; `undefined` where there are no codes. */
export const decodeQuantizedWeights = (
  files: Files,
  path: string,
): Result.Result<QuantizedWeights | undefined, CheckpointFormatError> =>
  Result.gen(function* () {
    const { [names.tensors]: bytes, [names.schemes]: text } = files
    if (bytes === undefined && text === undefined) return undefined
    const fail = (name: string, expected: string, found: string) => {
      const hint = "Quantise the model again."
      const problem = { path: `${path}/${name}`, expected, found, hint }
      return Result.fail(new CheckpointFormatError(problem))
    }
    if (bytes === undefined || text === undefined) {
      return yield* fail("", quantizedFiles.join(" and "), "one of them")
    }
    const decoded = Schema.decodeUnknownResult(Schemes)(new TextDecoder().decode(text))
    if (Result.isFailure(decoded)) {
      const found = decoded.failure.message.replaceAll(/\s+/g, " ")
      return yield* fail(names.schemes, "bits, group and symmetric of each path", found)
    }
    const tensors = yield* decodeRawSafetensors(bytes, `${path}/${names.tensors}`)
    const weights = new Map<string, QuantizedWeight>()
    for (const [linear, scheme] of Object.entries(decoded.success)) {
      const [codes, scales, zeros] = ["codes", "scales", "zeros"].map((part) =>
        tensors.get(`${linear}.${part}`),
      )
      if (codes?.dtype !== "U8" || scales?.dtype !== "F32" || zeros?.dtype !== "U8") {
        return yield* fail(names.tensors, `codes, scales and zeros of ${linear}`, "not all of them")
      }
      const [outputs, inputs] = codes.shape
      const weight: QuantizedWeight = {
        shape: [outputs, inputs],
        scheme,
        codes: Uint8Array.from(codes.bytes),
        scales: new Float32Array(Uint8Array.from(scales.bytes).buffer),
        zeros: Uint8Array.from(zeros.bytes),
      }
      const problem = problemOf(linear, matrixOf(weight))
      if (problem !== undefined) return yield* fail(names.tensors, "codes of one weight", problem)
      weights.set(linear, weight)
    }
    return weights
  })

const problemOf = (name: string, matrix: QuantizedMatrix): string | undefined => {
  try {
    checkQuantizedMatrix(name, matrix)
    return undefined
  } catch (error) {
    return (error as RangeError).message
  }
}

/** Codes that came from a file of another layout; those in groups that no scheme has are left out. */
export const weightsOf = (matrices: ReadonlyMap<string, QuantizedMatrix>): QuantizedWeights =>
  new Map(
    [...matrices].flatMap(([path, matrix]) => {
      const { shape, bits, groupSize, codes, scales, zeroPoints: zeros } = matrix
      const group = groupSize === shape[1] ? "channel" : groups.find((size) => size === groupSize)
      if (group === undefined) return []
      const scheme: Scheme = { bits, group, symmetric: isSymmetric(matrix) }
      return [[path, { shape, scheme, codes, scales, zeros }] as const]
    }),
  )

/** Whether codes stand for the weights that a model has, bit for bit. */
export const standFor = (weights: QuantizedWeights, { parameters }: CausalLM): boolean => {
  const leaves = Tree.leaves<HostArray.HostArray>(parameters)
  const byPath = new Map(Tree.entries(parameters).map(([path], i) => [path, leaves[i]]))
  return [...weights].every(([path, weight]) => {
    const { shape, data } = dequantize(weight)
    const found = byPath.get(path)
    return found?.shape.join() === shape.join() && data.every((value, i) => value === found.data[i])
  })
}
