/**
 * The ways of keeping a tensor in a GGUF file that are read and written here.
 *
 * The last three keep blocks of 32 neighbouring weights of a row, `w ≈ d · q` with a half-precision `d`
 * for each: in `Q8_0` q goes from −128 to 127, in `Q4_0` from −8 to 7, and in `Q4_1` from 0 to 15 with
 * a half-precision `m` added. They take 8.5, 4.5 and 5 bits a weight.
 *
 * Source: `ggml_type` and the block structures of ggml.
 */
export type GgufTensorType = "F32" | "F16" | "BF16" | "Q4_0" | "Q4_1" | "Q8_0"

/** The types that keep blocks of 32 weights. */
export type GgufBlockType = Extract<GgufTensorType, `Q${string}`>

interface Layout {
  readonly code: number
  /** Weights of a block, which never spans two rows. */
  readonly block: number
  /** Bytes of a block. */
  readonly bytes: number
}

/** Weights of a block. */
export const blockSize = 32

/** How each type lies in a file. */
export const tensorTypes: Readonly<Record<GgufTensorType, Layout>> = {
  F32: { code: 0, block: 1, bytes: 4 },
  F16: { code: 1, block: 1, bytes: 2 },
  Q4_0: { code: 2, block: blockSize, bytes: 18 },
  Q4_1: { code: 3, block: blockSize, bytes: 20 },
  Q8_0: { code: 8, block: blockSize, bytes: 34 },
  BF16: { code: 30, block: 1, bytes: 2 },
}

/** Types by their code in the file. */
export const tensorTypesByCode: ReadonlyMap<number, GgufTensorType> = new Map(
  Object.entries(tensorTypes).map(([name, { code }]) => [code, name as GgufTensorType]),
)

/** Types that ggml has and that are not read here, for messages. */
const foreignTypes: ReadonlyMap<number, string> = new Map([
  ...["Q5_0", "Q5_1"].map((name, i) => [6 + i, name] as const),
  ...["Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K"].map(
    (name, i) => [9 + i, name] as const,
  ),
  ...["IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS"].map(
    (name, i) => [16 + i, name] as const,
  ),
  ...["I8", "I16", "I32", "I64", "F64", "IQ1_M"].map((name, i) => [24 + i, name] as const),
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [39, "MXFP4"],
])

/** What to call a type that is not read here. */
export const describeType = (code: number): string => foreignTypes.get(code) ?? `type ${code}`

export const isBlockType = (type: GgufTensorType): type is GgufBlockType =>
  tensorTypes[type].block > 1

/** True where rows of this shape are whole blocks of the type. */
export const hasWholeBlocks = (type: GgufTensorType, shape: ReadonlyArray<number>): boolean =>
  (shape.at(-1) ?? 1) % tensorTypes[type].block === 0

/** Bytes of a tensor whose rows are whole blocks. */
export const bytesOfTensor = (type: GgufTensorType, shape: ReadonlyArray<number>): number => {
  const { block, bytes } = tensorTypes[type]
  return (shape.reduce((product, extent) => product * extent, 1) / block) * bytes
}
