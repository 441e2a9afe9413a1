/** Widths that fill 32 bits without a rest, as the format has them. */
export type PackedBits = 4 | 8

/** Words that a row of so many codes takes. */
export const wordsFor = (codes: number, bits: PackedBits): number => Math.ceil((codes * bits) / 32)

/**
 * Packs rows of codes into words of 32 bits, the first code lowest: [rows, columns] to
 * [rows, ⌈columns · bits / 32⌉]. What is left of a row's last word is 0.
 *
 * compressed-tensors packs signed numbers after adding 2^(bits − 1), which are these codes.
 *
 * Format: `pack_to_int32` of compressed-tensors.
 */
export const packRows = (
  codes: Uint8Array,
  rows: number,
  columns: number,
  bits: PackedBits,
): Int32Array => {
  const words = wordsFor(columns, bits)
  const perWord = 32 / bits
  const packed = new Int32Array(rows * words)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const shift = (column % perWord) * bits
      packed[row * words + Math.floor(column / perWord)] |= codes[row * columns + column] << shift
    }
  }
  return packed
}

/** The opposite of {@link packRows}. */
export const unpackRows = (
  packed: Int32Array,
  rows: number,
  columns: number,
  bits: PackedBits,
): Uint8Array => {
  const words = wordsFor(columns, bits)
  const perWord = 32 / bits
  const mask = 2 ** bits - 1
  const codes = new Uint8Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const shift = (column % perWord) * bits
      const word = packed[row * words + Math.floor(column / perWord)]
      codes[row * columns + column] = (word >>> shift) & mask
    }
  }
  return codes
}

/** [rows, columns] as [columns, rows]. */
const transpose = <A extends Uint8Array | Int32Array>(
  values: A,
  rows: number,
  columns: number,
): A => {
  const turned = values.slice() as A
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      turned[column * rows + row] = values[row * columns + column]
    }
  }
  return turned
}

/**
 * Packs columns instead, [rows, columns] to [⌈rows · bits / 32⌉, columns], as the format keeps zero
 * points: eight outputs of 4 bits in a word.
 */
export const packColumns = (
  codes: Uint8Array,
  rows: number,
  columns: number,
  bits: PackedBits,
): Int32Array => {
  const packed = packRows(transpose(codes, rows, columns), columns, rows, bits)
  return transpose(packed, columns, wordsFor(rows, bits))
}

/** The opposite of {@link packColumns}. */
export const unpackColumns = (
  packed: Int32Array,
  rows: number,
  columns: number,
  bits: PackedBits,
): Uint8Array => {
  const turned = transpose(packed, wordsFor(rows, bits), columns)
  return transpose(unpackRows(turned, columns, rows, bits), columns, rows)
}
