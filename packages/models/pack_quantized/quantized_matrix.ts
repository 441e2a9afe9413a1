import { HostArray } from "@espalier/tensor"

/**
 * A weight matrix as small whole numbers: `w = scale · (code − zero)`, a scale and a zero point for
 * each group of neighbouring inputs of each output. A plain description that every packed file format
 * here takes and gives; it says nothing of how the codes were found.
 */
export interface QuantizedMatrix {
  readonly shape: readonly [outputs: number, inputs: number]
  /** Codes and zero points are below 2^bits. */
  readonly bits: 2 | 3 | 4 | 8
  /** Inputs of a group; a divisor of the inputs, and the same number for one group a row. */
  readonly groupSize: number
  /** [outputs, inputs], one code a byte. */
  readonly codes: Uint8Array
  /** [outputs, inputs / groupSize] */
  readonly scales: Float32Array
  /** [outputs, inputs / groupSize]; 2^(bits − 1) throughout where the grid is symmetric. */
  readonly zeroPoints: Uint8Array
}

/** The groups of one row. */
export const groupsOf = ({ shape, groupSize }: QuantizedMatrix): number => shape[1] / groupSize

/**
 * Checks that the parts of a matrix belong together. Throws a `RangeError` that names the tensor:
 * such a matrix is a mistake in the program that made it.
 */
export const checkQuantizedMatrix = (name: string, matrix: QuantizedMatrix): void => {
  const { shape, bits, groupSize, codes, scales, zeroPoints } = matrix
  const [outputs, inputs] = shape
  const refuse = (what: string) => {
    throw new RangeError(`${name} [${shape.join(", ")}], ${bits} bits: ${what}`)
  }
  if (![2, 3, 4, 8].includes(bits)) refuse("bits must be 2, 3, 4 or 8")
  if (!(groupSize > 0 && inputs % groupSize === 0)) {
    refuse(`groups of ${groupSize} do not divide its inputs`)
  }
  const groups = (outputs * inputs) / groupSize
  if (codes.length !== outputs * inputs) refuse(`it has ${codes.length} codes`)
  if (scales.length !== groups) refuse(`it has ${scales.length} scales, not ${groups}`)
  if (zeroPoints.length !== groups) refuse(`it has ${zeroPoints.length} zero points, not ${groups}`)
  const limit = 2 ** bits
  if (codes.some((code) => code >= limit)) refuse(`a code is not below ${limit}`)
  if (zeroPoints.some((zero) => zero >= limit)) refuse(`a zero point is not below ${limit}`)
}

/** True where every zero point is the middle of the codes, 2^(bits − 1). */
export const isSymmetric = ({ bits, zeroPoints }: QuantizedMatrix): boolean =>
  zeroPoints.every((zero) => zero === 2 ** (bits - 1))

/**
 * True where `code − zero` lies between two numbers whatever the codes are: then another grid that has
 * these numbers holds the matrix as well.
 */
export const staysWithin = (
  { bits, zeroPoints }: QuantizedMatrix,
  lowest: number,
  highest: number,
): boolean => zeroPoints.every((zero) => -zero >= lowest && 2 ** bits - 1 - zero <= highest)

/**
 * The same weights on a symmetric grid of 4 or 8 bits, where they all are on it: 2 and 3 bits always
 * are, symmetric or not. Gives `undefined` where they are not.
 *
 * @example
 * ```ts
 * const matrix: QuantizedMatrix = {
 *   shape: [1, 2], bits: 2, groupSize: 2,
 *   codes: Uint8Array.of(0, 3), scales: Float32Array.of(0.5), zeroPoints: Uint8Array.of(1),
 * }
 * asSymmetric(matrix, 4)?.codes // 7, 10
 * ```
 */
export const asSymmetric = (matrix: QuantizedMatrix, bits: 4 | 8): QuantizedMatrix | undefined => {
  const middle = 2 ** (bits - 1)
  if (!staysWithin(matrix, -middle, middle - 1)) return undefined
  const { groupSize, codes, zeroPoints } = matrix
  const shifted = codes.map((code, i) => code - zeroPoints[Math.floor(i / groupSize)] + middle)
  return { ...matrix, bits, codes: shifted, zeroPoints: zeroPoints.slice().fill(middle) }
}

/**
 * The weights themselves, [outputs, inputs], each `scale · (code − zero)` rounded to f32 once.
 *
 * @example
 * ```ts
 * const matrix: QuantizedMatrix = {
 *   shape: [1, 2], bits: 4, groupSize: 2,
 *   codes: Uint8Array.of(7, 15), scales: Float32Array.of(0.5), zeroPoints: Uint8Array.of(8),
 * }
 * dequantizeMatrix(matrix).data // -0.5, 3.5
 * ```
 */
export const dequantizeMatrix = (matrix: QuantizedMatrix): HostArray.HostArray => {
  const { shape, groupSize, codes, scales, zeroPoints } = matrix
  const weights = new Float32Array(codes.length)
  for (let group = 0; group < scales.length; group++) {
    const [scale, zero] = [scales[group], zeroPoints[group]]
    const end = (group + 1) * groupSize
    for (let i = group * groupSize; i < end; i++) weights[i] = scale * (codes[i] - zero)
  }
  return HostArray.make(shape, weights)
}

/** A matrix with other rows: row `i` of the result is row `order[i]`. */
export const reorderRows = (matrix: QuantizedMatrix, order: ArrayLike<number>): QuantizedMatrix => {
  const groups = groupsOf(matrix)
  const [codes, scales, zeroPoints] = [
    matrix.codes.slice(),
    matrix.scales.slice(),
    matrix.zeroPoints.slice(),
  ]
  const inputs = matrix.shape[1]
  for (let row = 0; row < order.length; row++) {
    const from = order[row]
    codes.set(matrix.codes.subarray(from * inputs, (from + 1) * inputs), row * inputs)
    scales.set(matrix.scales.subarray(from * groups, (from + 1) * groups), row * groups)
    zeroPoints.set(matrix.zeroPoints.subarray(from * groups, (from + 1) * groups), row * groups)
  }
  return { ...matrix, codes, scales, zeroPoints }
}
