import { Result, Schema } from "effect"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import type { PackedBits } from "./pack_int32.ts"

/** What a file says of a group of linears: all that their numbers do not say themselves. */
export interface PackScheme {
  readonly bits: PackedBits
  readonly symmetric: boolean
  /** `undefined` for one group a row. */
  readonly groupSize: number | undefined
}

/** Linears of one scheme. */
export interface SchemeGroup {
  readonly scheme: PackScheme
  /** Names of modules, or `Linear` for every one that no other group names. */
  readonly targets: ReadonlyArray<string>
}

/** `quantization_config` of a config.json, for those who know compressed-tensors. */
export type QuantizationConfig = Readonly<Record<string, unknown>>

/** The names by which a scheme is the same as another. */
export const schemeKey = ({ bits, symmetric, groupSize }: PackScheme): string =>
  `${bits} ${symmetric} ${groupSize ?? "channel"}`

/** What a `quantization_config` must begin with for the rest to mean what it means here. */
const fixed = { quant_method: "compressed-tensors", format: "pack-quantized" } as const

const encodeGroup = ({ scheme, targets }: SchemeGroup) => ({
  targets,
  weights: {
    num_bits: scheme.bits,
    type: "int",
    symmetric: scheme.symmetric,
    strategy: scheme.groupSize === undefined ? "channel" : "group",
    group_size: scheme.groupSize ?? null,
    dynamic: false,
    actorder: null,
  },
  input_activations: null,
  output_activations: null,
})

/** The `quantization_config` with these groups; `ignore` names linears that are not quantised. */
export const encodeQuantizationConfig = (
  groups: ReadonlyArray<SchemeGroup>,
  ignore: ReadonlyArray<string>,
): QuantizationConfig => ({
  ...fixed,
  quantization_status: "compressed",
  config_groups: Object.fromEntries(groups.map((group, i) => [`group_${i}`, encodeGroup(group)])),
  ignore,
  kv_cache_scheme: null,
})

const Group = Schema.Struct({
  targets: Schema.Array(Schema.String),
  weights: Schema.Struct({
    num_bits: Schema.Literals([4, 8]),
    type: Schema.Literal("int"),
    symmetric: Schema.Boolean,
    strategy: Schema.Literals(["group", "channel"]),
    group_size: Schema.optionalKey(Schema.NullOr(Schema.Int)),
  }),
  input_activations: Schema.optionalKey(Schema.Null),
  output_activations: Schema.optionalKey(Schema.Null),
})
const Config = Schema.Struct({
  config_groups: Schema.Record(Schema.String, Group),
  kv_cache_scheme: Schema.optionalKey(Schema.Null),
})
const decode = Schema.decodeUnknownResult(Config)
const isRecord = Schema.is(Schema.Record(Schema.String, Schema.Unknown))

/**
 * Reads a `quantization_config`. Keys that do not concern how weights are read are left alone.
 *
 * Fails with {@link CheckpointFormatError} for another method or layout, activations that are quantised
 * as well, bits other than 4 and 8, and groups other than those of neighbouring inputs.
 */
export const decodeQuantizationConfig = (
  config: unknown,
  path: string,
): Result.Result<ReadonlyArray<SchemeGroup>, CheckpointFormatError> => {
  const fail = (expected: string, found: string) => {
    const hint = "Other layouts of quantised weights are not supported."
    return Result.fail(new CheckpointFormatError({ path, expected, found, hint }))
  }
  if (!isRecord(config)) return fail("a quantization_config", JSON.stringify(config) ?? "nothing")
  for (const [key, expected] of Object.entries(fixed)) {
    const found = config[key]
    if (found !== expected) {
      return fail(`${key} "${expected}"`, JSON.stringify(found)?.slice(0, 80) ?? "no such key")
    }
  }
  const decoded = decode(config)
  if (Result.isFailure(decoded)) {
    const found = decoded.failure.message.replaceAll(/\s+/g, " ")
    return fail("integers of 4 or 8 bits for weights alone", found)
  }
  const groups: Array<SchemeGroup> = []
  for (const [name, { targets, weights }] of Object.entries(decoded.success.config_groups)) {
    const { num_bits: bits, symmetric, strategy, group_size: size } = weights
    if (strategy === "group" && !(typeof size === "number" && size > 0)) {
      return fail(`a positive group_size in ${name}`, JSON.stringify(size ?? null))
    }
    const groupSize = strategy === "group" ? (size ?? undefined) : undefined
    groups.push({ scheme: { bits, symmetric, groupSize }, targets })
  }
  return groups.length === 0
    ? fail("at least one group in config_groups", "none")
    : Result.succeed(groups)
}

/**
 * The scheme of a linear: that of the only group, of the group that names it, or of the one for
 * `Linear`. `undefined` where none speaks of it.
 */
export const schemeFor = (
  groups: ReadonlyArray<SchemeGroup>,
  module: string,
): PackScheme | undefined => {
  const naming = (target: string) => groups.find(({ targets }) => targets.includes(target))
  const group = groups.length === 1 ? groups[0] : (naming(module) ?? naming("Linear"))
  return group?.scheme
}
