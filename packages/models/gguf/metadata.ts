/** Numbers of a GGUF file: their code in it, their bytes, and how they are kept in memory. */
export const numberTypes = {
  uint8: { code: 0, width: 1, Values: Uint8Array },
  int8: { code: 1, width: 1, Values: Int8Array },
  uint16: { code: 2, width: 2, Values: Uint16Array },
  int16: { code: 3, width: 2, Values: Int16Array },
  uint32: { code: 4, width: 4, Values: Uint32Array },
  int32: { code: 5, width: 4, Values: Int32Array },
  float32: { code: 6, width: 4, Values: Float32Array },
  uint64: { code: 10, width: 8, Values: BigUint64Array },
  int64: { code: 11, width: 8, Values: BigInt64Array },
  float64: { code: 12, width: 8, Values: Float64Array },
} as const
export type NumberType = keyof typeof numberTypes

/** The codes of the types that are no numbers. */
export const otherTypes = { bool: 7, string: 8, array: 9 } as const

/** Types by their code in the file. */
export const typesByCode: ReadonlyMap<number, NumberType | keyof typeof otherTypes> = new Map([
  ...Object.entries(numberTypes).map(([name, { code }]) => [code, name as NumberType] as const),
  ...Object.entries(otherTypes).map(
    ([name, code]) => [code, name as keyof typeof otherTypes] as const,
  ),
])

export const isNumberType = (type: string): type is NumberType => type in numberTypes

type Values = { [Type in NumberType]: InstanceType<(typeof numberTypes)[Type]["Values"]> }

/** Several values of one type in the metadata of a GGUF file; arrays may hold arrays. */
export type GgufArray =
  | {
      [Type in NumberType]: {
        readonly type: "array"
        readonly of: Type
        readonly values: Values[Type]
      }
    }[NumberType]
  | { readonly type: "array"; readonly of: "bool"; readonly values: ReadonlyArray<boolean> }
  | { readonly type: "array"; readonly of: "string"; readonly values: ReadonlyArray<string> }
  | { readonly type: "array"; readonly of: "array"; readonly values: ReadonlyArray<GgufArray> }

/** A value in the metadata of a GGUF file. */
export type GgufValue =
  | { readonly type: Exclude<NumberType, "uint64" | "int64">; readonly value: number }
  | { readonly type: "uint64" | "int64"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | GgufArray

/** The metadata of a GGUF file, in its order. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>

/** Where `general.alignment` does not say otherwise. */
export const defaultAlignment = 32
export const alignmentKey = "general.alignment"

/** The alignment that a file's metadata announce, or what is wrong with it. */
export const readAlignment = (metadata: GgufMetadata): number | { readonly found: string } => {
  const given = metadata.get(alignmentKey)
  if (given === undefined) return defaultAlignment
  if (given.type !== "uint32") return { found: given.type }
  const valid = given.value > 0 && given.value % 8 === 0
  return valid ? given.value : { found: String(given.value) }
}

/** The next multiple of an alignment. */
export const alignUp = (offset: number, alignment: number): number =>
  Math.ceil(offset / alignment) * alignment

/** A whole number of any of the integer types, where it is one that JavaScript counts exactly. */
export const integerOf = (value: GgufValue | undefined): number | undefined => {
  if (value === undefined || !("value" in value)) return undefined
  const number = typeof value.value === "bigint" ? Number(value.value) : value.value
  return typeof number === "number" && Number.isSafeInteger(number) ? number : undefined
}
