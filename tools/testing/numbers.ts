/** Rows of numbers. */
export type Rows = ReadonlyArray<ReadonlyArray<number>>

/** Deterministic numbers in [-1, 1). */
export const makeNumbers = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
}

/** Numbers in [-1, 1) that `f32` holds, [rows, columns]. */
export const draw = (rows: number, columns: number, seed: number): Array<Array<number>> => {
  const next = makeNumbers(seed)
  return Array.from({ length: rows }, () =>
    Array.from({ length: columns }, () => Math.fround(next())),
  )
}

/** Tokens whose inputs depend on their neighbours and on each other, of sizes between 0.3 and 3. */
export const correlatedTokens = (count: number, inputs: number, seed: number): Rows => {
  const size = (j: number) => 10 ** (((7 * j) % 5) / 4 - 0.5)
  return draw(count, inputs + 1, seed).map((z) =>
    z.slice(1).map((own, j) => Math.fround(size(j) * (own + 0.6 * z[j] + 0.3 * z[0]))),
  )
}

/** Tokens with H = diag(squares of `sizes`). */
export const separateTokens = (sizes: ReadonlyArray<number>): Rows =>
  sizes.map((size, i) => sizes.map((_, j) => (i === j ? size : 0)))

/** The rows of a row-major array. */
export const rowsOf = <A>(values: ReadonlyArray<A>, width: number): Array<ReadonlyArray<A>> =>
  Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width))

/** The largest difference of two matrices, beside the largest number in the second. */
export const differenceOf = (found: Rows, expected: Rows): number => {
  let [difference, largest] = [0, 0]
  for (const [i, row] of expected.entries()) {
    for (const [j, value] of row.entries()) {
      difference = Math.max(difference, Math.abs(found[i][j] - value))
      largest = Math.max(largest, Math.abs(value))
    }
  }
  return largest === 0 ? difference : difference / largest
}
