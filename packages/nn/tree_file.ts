import type { HostArray, HostData } from "@espalier/tensor"
import { DType, Tree } from "@espalier/tensor"
import { Option, Schema } from "effect"

const Entry = Schema.Struct({
  path: Schema.String,
  dtype: DType,
  shape: Schema.Array(Schema.Int),
  bytes: Schema.Int,
})
const Index = Schema.fromJsonString(Schema.Array(Entry))

const entriesOf = (tree: unknown): ReadonlyArray<readonly [string, HostArray.HostArray]> => {
  const leaves = Tree.leaves<HostArray.HostArray>(tree)
  return Tree.entries(tree).map(([path], i) => [path, leaves[i]])
}

const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/**
 * A tree of host arrays as one file: the byte length of a JSON index (u32), the index (path, dtype,
 * shape and byte length of each array), then the arrays' bytes in the order of the tree. Exact, and
 * only meant to be read back into the same tree by {@link decodeTree}.
 *
 * @example
 * ```ts
 * import { HostArray } from "@espalier/tensor"
 * import { decodeTree, encodeTree } from "@espalier/nn"
 *
 * const tree = { w: HostArray.make([2], [1, 2]) }
 * console.log(decodeTree(encodeTree(tree), tree)._tag) // Some
 * console.log(decodeTree(encodeTree(tree), { v: tree.w })._tag) // None
 * ```
 */
export const encodeTree = (tree: unknown): Uint8Array => {
  const entries = entriesOf(tree)
  const index = new TextEncoder().encode(
    Schema.encodeSync(Index)(
      entries.map(([path, { dtype, shape, data }]) => {
        return { path, dtype, shape, bytes: data.byteLength }
      }),
    ),
  )
  const total = entries.reduce((bytes, [, { data }]) => bytes + data.byteLength, 0)
  const file = new Uint8Array(4 + index.length + total)
  new DataView(file.buffer).setUint32(0, index.length, true)
  file.set(index, 4)
  let offset = 4 + index.length
  for (const [, { data }] of entries) {
    file.set(bytesOf(data), offset)
    offset += data.byteLength
  }
  return file
}

/** Room for what was saved: an `f64` device keeps `f32` arrays in eight bytes an element. */
const roomFor = (like: HostData, bytes: number): HostData =>
  bytes === 8 * like.length
    ? new Float64Array(like.length)
    : like instanceof Float64Array
      ? new Float32Array(like.length)
      : like.slice()

/**
 * The tree that {@link encodeTree} wrote, or none where the file is damaged or has other paths,
 * shapes or dtypes than `like`.
 */
export const decodeTree = <T>(file: Uint8Array, like: T): Option.Option<T> => {
  if (file.length < 4) return Option.none()
  const length = new DataView(file.buffer, file.byteOffset).getUint32(0, true)
  const text = new TextDecoder().decode(file.subarray(4, 4 + length))
  const index = Schema.decodeUnknownOption(Index)(text)
  if (Option.isNone(index)) return Option.none()
  const saved = index.value
  const entries = entriesOf(like)
  const fits =
    saved.reduce((bytes, entry) => bytes + entry.bytes, 4 + length) === file.length &&
    saved.length === entries.length &&
    entries.every(([path, { dtype, shape, data }], i) => {
      const entry = saved[i]
      const same = entry.path === path && entry.dtype === dtype
      const width = entry.bytes / data.length
      return same && String(entry.shape) === String(shape) && (width === 4 || width === 8)
    })
  if (!fits) return Option.none()
  let offset = 4 + length
  const arrays = entries.map(([, leaf], i) => {
    const data = roomFor(leaf.data, saved[i].bytes)
    bytesOf(data).set(file.subarray(offset, offset + data.byteLength))
    offset += data.byteLength
    return { ...leaf, data }
  })
  return Option.some(Tree.fill<HostArray.HostArray, HostArray.HostArray, T>(like, arrays) as T)
}
