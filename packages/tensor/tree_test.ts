import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Tree from "./tree.ts"

const leaf = (name: string) => ({ shape: [name.length], dtype: "f32", name })
const tree = { b: [leaf("x"), { c: leaf("yy") }] as const, a: leaf("z"), n: 3 }

describe("Tree", () => {
  it("lists leaves with their paths, keys sorted", () => {
    assert.deepStrictEqual(
      Tree.entries(tree).map(([path]) => path),
      ["a", "b.0", "b.1.c", "n"],
    )
    assert.deepStrictEqual(Tree.leaves(tree), [tree.a, tree.b[0], tree.b[1].c, 3])
  })

  it("calls a leaf on its own a value", () => {
    assert.deepStrictEqual(Tree.entries(leaf("x")), [["value", leaf("x")]])
    assert.deepStrictEqual(Tree.entries(5), [["value", 5]])
    assert.deepStrictEqual(Tree.entries({}), [])
    assert.deepStrictEqual(Tree.entries(undefined), [])
  })

  it("maps leaves in place, with their paths", () => {
    const paths = Tree.map(tree, (_: Tree.Leaf, path) => path)
    assert.deepStrictEqual(paths, { a: "a", b: ["b.0", { c: "b.1.c" }], n: "n" })
  })

  it("does not care in which order keys were written", () => {
    const shuffled = { n: 3, a: tree.a, b: tree.b }
    assert.deepStrictEqual(Tree.leaves(shuffled), Tree.leaves(tree))
  })

  it("combines two trees leaf by leaf", () => {
    const sums = Tree.map2(
      { a: 1, b: [2, 3] },
      { b: [20, 30], a: 10 },
      (x: number, y: number) => x + y,
    )
    assert.deepStrictEqual(sums, { a: 11, b: [22, 33] })
  })

  it("refuses to combine trees of different structure", () => {
    const add = (x: number, y: number) => x + y
    assert.throws(() => Tree.map2({ a: 1, b: 2 }, { a: 1 }, add), /b is in one tree only/)
    assert.throws(() => Tree.map2({ a: 1 }, { c: 1 }, add), /a is in one tree only/)
    assert.throws(() => Tree.map2({ a: 1 }, { a: 1, c: 1 }, add), /c is in one tree only/)
  })

  const anyTree = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.integer(),
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.dictionary(fc.string({ maxLength: 4 }), tie("tree"), { maxKeys: 4 }),
    ),
  })).tree

  it("fills what it took apart", () => {
    fc.assert(
      fc.property(anyTree, (any) => {
        const filled = Tree.fill(any, Tree.leaves(any))
        assert.deepStrictEqual(Tree.entries(filled), Tree.entries(any))
        const same = Tree.map(any, (x) => x)
        assert.deepStrictEqual(JSON.stringify(same), JSON.stringify(filled))
        const numbers = Tree.map2(any, any, (x: number, y: number) => x - y)
        assert.isTrue(Tree.leaves<number>(numbers).every((x) => x === 0))
      }),
      { seed: 3 },
    )
  })
})
