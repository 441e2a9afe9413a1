import { HostArray, Kernel, Tensor } from "@espalier/tensor"
import type { PackedBits, PackedSizes } from "./sizes.ts"
import { chunkInputs, tileOutputs } from "./sizes.ts"
import { packedWasm } from "./wasm.ts"
import { packedWgsl } from "./wgsl.ts"

type T = Tensor.Tensor

/** Numbers of `bits` bits in words, the lowest bits first: [..., words] → [..., words, 32 / bits]. */
const split = (words: T, bits: number): T => {
  const count = 32 / bits
  const shifts = Uint32Array.from({ length: count }, (_, i) => bits * i)
  const shifted = Tensor.shr(
    Tensor.expandDims(words, -1),
    Tensor.fromHost(HostArray.make([count], shifts)),
  )
  return Tensor.cast(Tensor.and(shifted, 2 ** bits - 1), "f32")
}

/** The weight that packed arrays stand for, [outputs, inputs]. */
const expand = (codes: T, scales: T, zeros: T, inputs: number): T => {
  const [tiles, chunks, bits] = codes.shape
  const [outputs, groups] = scales.shape
  const ofLanes = Tensor.transpose(Tensor.reshape(codes, [tiles, chunks * bits, tileOutputs]))
  const code = Tensor.reshape(split(ofLanes, bits), [tiles * tileOutputs, groups, -1])
  const zero = Tensor.reshape(Tensor.transpose(split(zeros, 8)), [tiles * tileOutputs, groups, 1])
  const steps = Tensor.sliceAxis(Tensor.sub(code, zero), 0, 0, outputs)
  const weight = Tensor.mul(Tensor.expandDims(scales, 2), steps)
  return Tensor.sliceAxis(Tensor.reshape(weight, [outputs, chunkInputs * chunks]), 1, 0, inputs)
}

/** A kernel without code of its own: what it gives is stored in this order of its axes, the fast one. */
const unpack = Kernel.define<{ readonly inputs: number }>({
  name: "unpack codes",
  reference: ([codes, scales, zeros], { inputs }) => [expand(codes, scales, zeros, inputs)],
})

const sizesOf = ([x, codes, scales]: ReadonlyArray<{
  readonly shape: T["shape"]
}>): PackedSizes => ({
  rows: x.shape[0],
  inputs: x.shape[1],
  outputs: scales.shape[0],
  tiles: codes.shape[0],
  chunks: codes.shape[1],
  bits: codes.shape[2] as PackedBits,
  groups: scales.shape[1],
})

const kernel = Kernel.define({
  name: "quantized linear",
  reference: ([x, codes, scales, zeros]) => {
    const [weight] = unpack([codes, scales, zeros], { inputs: x.shape[1] })
    return [Tensor.matmul(x, Tensor.transpose(weight))]
  },
  wasm: ({ fusedMultiplyAdd }, { inputs }) => packedWasm(sizesOf(inputs), fusedMultiplyAdd),
  wgsl: (target, { inputs }) => packedWgsl(target, sizesOf(inputs)),
})

/** x · Wᵀ for rows x, `f32` [rows, inputs] → [rows, outputs]. */
export const multiplyPacked = (x: T, codes: T, scales: T, zeros: T): T =>
  kernel([x, codes, scales, zeros], {})[0]
