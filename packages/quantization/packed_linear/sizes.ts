/** Outputs that lie side by side and fill a vector. */
export const tileOutputs = 4

/** Inputs whose codes are packed together: they take as many words as a code has bits. */
export const chunkInputs = 32

/** Bits that a packed code takes. */
export type PackedBits = 4 | 8

/** The product with a packed weight, as the kernels see it. */
export interface PackedSizes {
  /** Rows of x. */
  readonly rows: number
  readonly inputs: number
  readonly outputs: number
  /** Fours of outputs; the last may be padded. */
  readonly tiles: number
  /** Packed codes of one output: chunks of 32 inputs; the last may be padded. */
  readonly chunks: number
  /** Groups of one output, each of the same number of chunks. */
  readonly groups: number
  readonly bits: PackedBits
}
