import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { Option, Schema } from "effect"
import { hostNumbers } from "./testing/evaluate.ts"
import { decodeTree, encodeTree } from "./tree_file.ts"

const tree = () => ({
  blocks: [{ w: hostNumbers([2, 3], 1) }, { w: hostNumbers([2, 3], 2) }],
  mask: HostArray.make([3], [0, 1, 1], "bool"),
  tokens: HostArray.make([2, 2], [-1, 2, 3, 4], "i32"),
  wide: HostArray.make([2], Float64Array.of(1 / 3, -0), "f64"),
})

const bitsOf = ({ data }: HostArray.HostArray) => [
  ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
]

describe("tree files", () => {
  it("come back in the same structure", () => {
    assert.deepStrictEqual(Option.getOrThrow(decodeTree(encodeTree(tree()), tree())), tree())
  })

  it.prop(
    "keep every bit of every number",
    [Schema.Array(Schema.Number).check(Schema.isMinLength(1))],
    ([values]) => {
      const like = {
        x: HostArray.make(
          [values.length],
          values.map(() => 0),
        ),
      }
      const given = { x: HostArray.make([values.length], values) }
      assert.deepStrictEqual(
        bitsOf(Option.getOrThrow(decodeTree(encodeTree(given), like)).x),
        bitsOf(given.x),
      )
    },
  )

  it("keep the eight bytes in which an f64 device holds an f32 array", () => {
    const like = { x: HostArray.make([2], [0, 0]) }
    const given = { x: HostArray.make([2], Float64Array.of(1 / 3, 2 / 3), "f32") }
    const back = Option.getOrThrow(decodeTree(encodeTree(given), like))
    assert.deepStrictEqual(back, given)
    assert.deepStrictEqual(Option.getOrThrow(decodeTree(encodeTree(like), given)), like)
  })

  it("are read from bytes at any place in a larger buffer", () => {
    const moved = Buffer.concat([Buffer.of(7, 7, 7), encodeTree(tree())]).subarray(3)
    assert.deepStrictEqual(Option.getOrThrow(decodeTree(moved, tree())), tree())
  })

  it("leave what they are compared with alone", () => {
    const like = { x: HostArray.make([1], [5]) }
    decodeTree(encodeTree({ x: HostArray.make([1], [6]) }), like)
    assert.strictEqual(like.x.data[0], 5)
  })

  it("are refused for another structure, shape or dtype", () => {
    const file = encodeTree({ x: HostArray.make([2, 3], [1, 2, 3, 4, 5, 6]) })
    const refused = (like: unknown) => assert.isTrue(Option.isNone(decodeTree(file, like)))
    const zeros = [0, 0, 0, 0, 0, 0]
    refused({ y: HostArray.make([2, 3], zeros) })
    refused({ x: HostArray.make([3, 2], zeros) })
    refused({ x: HostArray.make([2, 3], zeros, "i32") })
    refused({ x: HostArray.make([5], zeros.slice(1)) })
    refused({})
    refused({ x: HostArray.make([2, 3], zeros), y: HostArray.make([1], [0]) })
  })

  it("are refused where they are damaged", () => {
    const file = encodeTree(tree())
    const cut = [0, 3, 4, 40, file.length - 1].map((length) => file.subarray(0, length))
    const noise = Uint8Array.from(file, (byte, i) => (i === 0 ? byte ^ 1 : byte))
    const longer = Buffer.concat([file, Buffer.of(0)])
    for (const damaged of [...cut, noise, longer]) {
      assert.isTrue(Option.isNone(decodeTree(damaged, tree())))
    }
  })
})
