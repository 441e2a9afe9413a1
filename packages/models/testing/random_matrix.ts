import { makeRandom } from "../random.ts"
import type { QuantizedMatrix } from "../pack_quantized/quantized_matrix.ts"

/** A matrix of random codes for tests; its scales are numbers of half precision. */
export const randomMatrix = (
  shape: readonly [outputs: number, inputs: number],
  options: {
    readonly seed: number
    readonly bits: QuantizedMatrix["bits"]
    readonly symmetric: boolean
    readonly groupSize: number
  },
): QuantizedMatrix => {
  const { seed, bits, symmetric, groupSize } = options
  const random = makeRandom(seed)
  const length = shape[0] * shape[1]
  const groups = length / groupSize
  const code = () => random.below(2 ** bits)
  const codes = Uint8Array.from({ length }, code)
  const zeroPoints = Uint8Array.from({ length: groups }, () =>
    symmetric ? 2 ** (bits - 1) : code(),
  )
  // An asymmetric matrix that happens to be symmetric would be a test of something else.
  if (!symmetric && groups > 0) zeroPoints[0] = 1
  return {
    shape,
    bits,
    groupSize,
    codes,
    scales: Float32Array.from({ length: groups }, () => (random.below(2000) + 1) / 2 ** 14),
    zeroPoints,
  }
}
