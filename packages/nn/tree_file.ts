import type { HostArray } from "@espalier/tensor"
import { Tree } from "@espalier/tensor"
import { Option, Schema } from "effect"

const Index = Schema.fromJsonString(
  Schema.Array(Schema.Struct({ path: Schema.String, length: Schema.Int, bytes: Schema.Int })),
)

const entriesOf = (tree: unknown) =>
  Tree.entries(tree) as unknown as ReadonlyArray<readonly [string, HostArray.HostArray]>

const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/**
 * A tree of host arrays as one file: the byte length of a JSON index (u32), the index, then the
 * arrays' bytes in the order of the tree. Exact, and only meant to be read back into the same tree.
 */
export const encodeTree = (tree: unknown): Uint8Array => {
  const entries = entriesOf(tree)
  const index = new TextEncoder().encode(
    Schema.encodeSync(Index)(
      entries.map(([path, { data }]) => ({ path, length: data.length, bytes: data.byteLength })),
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

/** The tree that {@link encodeTree} wrote, or none where the file does not fit the structure of `like`. */
export const decodeTree = <T>(file: Uint8Array, like: T): Option.Option<T> => {
  if (file.length < 4) return Option.none()
  const length = new DataView(file.buffer, file.byteOffset).getUint32(0, true)
  const text = new TextDecoder().decode(file.subarray(4, 4 + length))
  const index = Schema.decodeUnknownOption(Index)(text)
  if (Option.isNone(index)) return Option.none()
  const entries = entriesOf(like)
  const size = index.value.reduce((bytes, entry) => bytes + entry.bytes, 4 + length)
  const fits =
    size === file.length &&
    entries.length === index.value.length &&
    entries.every(([path, leaf], i) => {
      const saved = index.value[i]!
      const same = saved.path === path && saved.length === leaf.data.length
      return same && saved.bytes === leaf.data.byteLength
    })
  if (!fits) return Option.none()
  let offset = 4 + length
  const tree = Tree.map<HostArray.HostArray, HostArray.HostArray, T>(like, (leaf) => {
    const data = leaf.data.slice()
    bytesOf(data).set(file.subarray(offset, offset + data.byteLength))
    offset += data.byteLength
    return { ...leaf, data }
  })
  return Option.some(tree as T)
}
