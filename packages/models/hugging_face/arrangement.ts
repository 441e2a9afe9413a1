/**
 * How a weight lies in a file, compared with how it lies in memory.
 *
 * `plain` is the same. `transposed` matrices are (in × out), as GPT-2's are. `half-split` is Hugging
 * Face's rotary layout of queries and keys: it turns row `i` of a head with row `i + width / 2`, while
 * in memory (as in llama2.c and Meta's files) row `2i` turns with row `2i + 1`.
 *
 * Source of the last: `permute` in transformers' `convert_llama_weights_to_hf.py`.
 */
export type Arrangement =
  | { readonly kind: "plain" }
  | { readonly kind: "transposed" }
  | { readonly kind: "half-split"; readonly heads: number }

type Shape = ReadonlyArray<number>

/** Rows and columns of a shape; a vector is one column. */
export const rowsAndColumns = ([rows = 1, ...rest]: Shape): readonly [
  rows: number,
  columns: number,
] => [rows, rest.reduce((product, extent) => product * extent, 1)]

/** The shape in the file of a weight that has `shape` in memory. */
export const storedShape = ({ kind }: Arrangement, shape: Shape): Shape =>
  kind === "transposed" ? shape.toReversed() : shape

/** The row in memory that stands in row `row` of the file. */
const interleavedRow = (row: number, width: number): number => {
  const within = row % width
  const half = width / 2
  return row - within + (within < half ? 2 * within : 2 * (within - half) + 1)
}

/**
 * Copies whole rows of the file, from row `first` on, to their places in memory. `shape` is the shape
 * in memory.
 */
export const placeRows = (
  arrangement: Arrangement,
  shape: Shape,
  piece: Float32Array,
  first: number,
  memory: Float32Array,
): void => {
  const [rows, columns] = rowsAndColumns(shape)
  if (arrangement.kind === "plain") {
    memory.set(piece, first * columns)
  } else if (arrangement.kind === "transposed") {
    const count = piece.length / rows
    for (let row = 0; row < rows; row++) {
      const start = row * columns + first
      for (let i = 0; i < count; i++) memory[start + i] = piece[i * rows + row]
    }
  } else {
    const width = rows / arrangement.heads
    for (let i = 0; i * columns < piece.length; i++) {
      const to = interleavedRow(first + i, width) * columns
      for (let j = 0; j < columns; j++) memory[to + j] = piece[i * columns + j]
    }
  }
}

/** The opposite of {@link placeRows}: fills `piece` with rows of the file from row `first` on. */
export const gatherRows = (
  arrangement: Arrangement,
  shape: Shape,
  memory: Float32Array,
  first: number,
  piece: Float32Array,
): void => {
  const [rows, columns] = rowsAndColumns(shape)
  if (arrangement.kind === "plain") {
    const start = first * columns
    piece.set(memory.subarray(start, start + piece.length))
  } else if (arrangement.kind === "transposed") {
    const count = piece.length / rows
    for (let row = 0; row < rows; row++) {
      const start = row * columns + first
      for (let i = 0; i < count; i++) piece[i * rows + row] = memory[start + i]
    }
  } else {
    const width = rows / arrangement.heads
    for (let i = 0; i * columns < piece.length; i++) {
      const from = interleavedRow(first + i, width) * columns
      for (let j = 0; j < columns; j++) piece[i * columns + j] = memory[from + j]
    }
  }
}
