import { HostArray, Kernel, Tensor } from "@espalier/tensor"
import type { PackedSizes } from "./packed_two_of_four_sizes.ts"
import { makeSelectors, packedWasm } from "./packed_two_of_four_wasm.ts"
import { packedWgsl } from "./packed_two_of_four_wgsl.ts"

type T = Tensor.Tensor

/** Where in a word the two bits of an output (axis 1) and of one of its two groups (axis 3) begin. */
const shifts = (which: number): T => {
  const counts = Uint32Array.from({ length: 8 }, (_, i) => 2 * (i >> 1) + 16 * (i & 1) + 8 * which)
  return Tensor.fromHost(HostArray.make([1, 4, 1, 2], counts))
}

/**
 * The weight that packed arrays stand for, [outputs / 4, 4, inputs / 4, 4]: of the two kept weights of a
 * group, the one whose place this is.
 */
const expand = (values: T, places: T): T => {
  const [tiles, groups] = values.shape
  const words = Math.ceil(groups / 2)
  const word = Tensor.reshape(places, [tiles, 1, words, 1])
  const here = Tensor.cast(Tensor.iota([1, 1, 1, 4], 3), "u32")
  const [first, second] = [0, 1].map((which) => {
    const codes = Tensor.and(Tensor.shr(word, shifts(which)), 3)
    const ofGroup = Tensor.sliceAxis(Tensor.reshape(codes, [tiles, 4, 2 * words]), 2, 0, groups)
    const code = Tensor.reshape(ofGroup, [tiles, 4, groups, 1])
    const own = Tensor.reshape(Tensor.sliceAxis(values, 2, which, which + 1), [tiles, groups, 4])
    const value = Tensor.reshape(Tensor.transpose(own), [tiles, 4, groups, 1])
    return Tensor.where(Tensor.equal(code, here), value, 0)
  })
  return Tensor.add(first, second)
}

/** A kernel without code of its own: what it gives is stored in this order of its axes, the fast one. */
const unpack = Kernel.define({
  name: "unpack two of four",
  reference: ([values, places]) => [expand(values, places)],
})

const sizesOf = (x: T["shape"], values: T["shape"]): PackedSizes => ({
  rows: x[0],
  tiles: values[0],
  groups: values[1],
})

const kernel = Kernel.define({
  name: "two of four linear",
  reference: ([x, values, places]) => {
    const [weight] = unpack([values, places], {})
    const [tiles, groups] = values.shape
    const dense = Tensor.reshape(weight, [4 * tiles, 4 * groups])
    return [Tensor.matmul(x, Tensor.transpose(dense))]
  },
  wasm: (kit, { inputs: [x, values] }) => packedWasm(kit, sizesOf(x.shape, values.shape)),
  wgsl: (target, { inputs: [x, values] }) => packedWgsl(target, sizesOf(x.shape, values.shape)),
})

/** x · Wᵀ for rows x, `f32` [rows, inputs] → [rows, outputs]. */
export const multiplyPacked = (x: T, values: T, places: T): T => {
  const selectors = Tensor.fromHost(HostArray.make([256, 4], makeSelectors()))
  return kernel([x, values, places, selectors], {})[0]
}
