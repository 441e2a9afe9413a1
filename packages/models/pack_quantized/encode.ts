import type { HostArray } from "@espalier/tensor"
import { Result } from "effect"
import { bytesOfArray } from "../bytes.ts"
import type { UnstorableWeight } from "../gguf/unstorable_weight.ts"
import { storeFloats, unstorable } from "../gguf/unstorable_weight.ts"
import type { StoredDType } from "../stored_dtype.ts"
import type { PackedBits } from "./pack_int32.ts"
import { packColumns, packRows, wordsFor } from "./pack_int32.ts"
import type { PackScheme, QuantizationConfig, SchemeGroup } from "./quantization_config.ts"
import { encodeQuantizationConfig, schemeKey } from "./quantization_config.ts"
import type { QuantizedMatrix } from "./quantized_matrix.ts"
import { asSymmetric, checkQuantizedMatrix, groupsOf, isSymmetric } from "./quantized_matrix.ts"
import type { RawTensor } from "./raw_safetensors.ts"
import { UnsupportedPacking } from "./unsupported_packing.ts"

/** Named tensors of a model, some of them quantised. */
export interface PackableTensors {
  /** What stays as it is. */
  readonly dense: ReadonlyMap<string, HostArray.HostArray>
  /** Weights of linears by their full names, which end in `.weight`. */
  readonly quantized: ReadonlyMap<string, QuantizedMatrix>
}

/** How tensors are packed. */
export interface PackOptions {
  /** What other tensors are kept in; F32 by default. */
  readonly dtype?: StoredDType
  /** What scales are kept in, to which they are rounded; F32 by default. */
  readonly scaleDtype?: StoredDType
  /** Linears that are not quantised; `lm_head` by default. */
  readonly ignore?: ReadonlyArray<string>
}

/** The tensors of the files, and what config.json says of them. */
export interface PackQuantized {
  readonly tensors: ReadonlyMap<string, RawTensor>
  readonly quantizationConfig: QuantizationConfig
}

const suffix = ".weight"

const refuse = (tensor: string, expected: string, found: string, hint: string) =>
  Result.fail(new UnsupportedPacking({ tensor, expected, found, hint }))

/** The matrix with 4 or 8 bits: 2 and 3 become a symmetric 4, with the same weights. */
const widen = (matrix: QuantizedMatrix): QuantizedMatrix & { readonly bits: PackedBits } => {
  const { bits } = matrix
  if (bits === 4 || bits === 8) return { ...matrix, bits }
  return { ...asSymmetric(matrix, 4)!, bits: 4 }
}

const encodeMatrix = (
  name: string,
  matrix: QuantizedMatrix & { readonly bits: PackedBits },
  scheme: PackScheme,
  scaleDtype: StoredDType,
): Result.Result<ReadonlyMap<string, RawTensor>, UnstorableWeight> => {
  const { shape, codes, scales, zeroPoints, bits } = matrix
  const [outputs, inputs] = shape
  const groups = groupsOf(matrix)
  const odd = scales.find((scale) => !Number.isFinite(scale))
  if (odd !== undefined) return Result.fail(unstorable(name, scaleDtype, "scale", odd))
  const integers = (values: Int32Array, extents: ReadonlyArray<number>): RawTensor => ({
    dtype: "I32",
    shape: extents,
    bytes: bytesOfArray(values),
  })
  return Result.map(storeFloats(name, scaleDtype, "scale", scales), (bytes) => {
    const packed = packRows(codes, outputs, inputs, bits)
    const zeros = packColumns(zeroPoints, outputs, groups, bits)
    const sizes = BigInt64Array.of(BigInt(outputs), BigInt(inputs))
    return new Map<string, RawTensor>([
      [`${name}_packed`, integers(packed, [outputs, wordsFor(inputs, bits)])],
      [`${name}_scale`, { dtype: scaleDtype, shape: [outputs, groups], bytes }],
      [`${name}_shape`, { dtype: "I64", shape: [2], bytes: bytesOfArray(sizes) }],
      ...(scheme.symmetric
        ? []
        : [[`${name}_zero_point`, integers(zeros, [wordsFor(outputs, bits), groups])] as const]),
    ])
  })
}

/** One group for `Linear` where all are alike, else groups that name their linears. */
const groupSchemes = (
  schemes: ReadonlyArray<readonly [module: string, scheme: PackScheme]>,
): ReadonlyArray<SchemeGroup> => {
  const groups = new Map<string, { scheme: PackScheme; targets: Array<string> }>()
  for (const [module, scheme] of schemes) {
    const key = schemeKey(scheme)
    const group = groups.get(key) ?? { scheme, targets: [] }
    group.targets.push(module)
    groups.set(key, group)
  }
  const all = [...groups.values()]
  return all.length === 1 ? [{ scheme: all[0].scheme, targets: ["Linear"] }] : all
}

/**
 * Packs quantised weights in the layout "pack-quantized" of compressed-tensors, which vLLM and
 * transformers read. For each `X.weight`: `X.weight_packed` (I32, eight codes of 4 bits or four of 8 in
 * a word), `X.weight_scale` [outputs, groups], `X.weight_shape` (I64) and, where a zero point is not
 * the middle of the codes, `X.weight_zero_point` (I32, outputs packed). Codes of 2 and 3 bits become
 * symmetric ones of 4 bits that stand for the same weights.
 *
 * `encodeRawSafetensors` makes a file of the tensors; `quantizationConfig` belongs into config.json as
 * `quantization_config`. It has one group where all weights have the same bits and groups.
 *
 * Fails with {@link UnstorableWeight} where a scale or a weight is too large for its dtype, and with
 * {@link UnsupportedPacking} where a name does not end in `.weight`, or is both dense and quantised.
 *
 * @example
 * ```ts
 * const matrix: QuantizedMatrix = {
 *   shape: [1, 8], bits: 4, groupSize: 8,
 *   codes: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7), scales: Float32Array.of(0.5), zeroPoints: Uint8Array.of(8),
 * }
 * const packed = Result.getOrThrow(
 *   encodePackQuantized({ dense: new Map(), quantized: new Map([["up.weight", matrix]]) }),
 * )
 * packed.tensors.get("up.weight_packed")?.bytes // 0x10, 0x32, 0x54, 0x76
 * ```
 */
export const encodePackQuantized = (
  { dense, quantized }: PackableTensors,
  options: PackOptions = {},
): Result.Result<PackQuantized, UnstorableWeight | UnsupportedPacking> =>
  Result.gen(function* () {
    const { dtype = "F32", scaleDtype = "F32", ignore = ["lm_head"] } = options
    const tensors = new Map<string, RawTensor>()
    for (const [name, { shape, data }] of dense) {
      const values = data instanceof Float32Array ? data : Float32Array.from(data)
      const bytes = yield* storeFloats(name, dtype, "weight", values)
      tensors.set(name, { dtype, shape, bytes })
    }
    const schemes: Array<readonly [string, PackScheme]> = []
    for (const [name, matrix] of quantized) {
      checkQuantizedMatrix(name, matrix)
      if (!name.endsWith(suffix)) {
        return yield* refuse(name, `a name that ends in ${suffix}`, name, "Give the full name.")
      }
      if (dense.has(name)) {
        return yield* refuse(name, "one kind of weight", "both", "Leave one of them out.")
      }
      const wide = widen(matrix)
      const scheme: PackScheme = {
        bits: wide.bits,
        symmetric: isSymmetric(wide),
        groupSize: wide.groupSize === wide.shape[1] ? undefined : wide.groupSize,
      }
      schemes.push([name.slice(0, -suffix.length), scheme])
      const parts = yield* encodeMatrix(name, wide, scheme, scaleDtype)
      for (const [part, tensor] of parts) tensors.set(part, tensor)
    }
    const quantizationConfig = encodeQuantizationConfig(groupSchemes(schemes), ignore)
    return { tensors, quantizationConfig }
  })
