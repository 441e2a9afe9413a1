import { assert, describe, it } from "@effect/vitest"
import { placeLabels } from "./place_labels.ts"

describe("placeLabels", () => {
  it("puts a label beside its point", () => {
    const [label] = placeLabels([{ x: 50, y: 50, label: "dense" }], [], 300, 200)
    assert.deepStrictEqual(label, { x: 58, y: 50, align: "left", text: "dense" })
  })

  it("puts it on the left at the right edge", () => {
    const [label] = placeLabels([{ x: 299, y: 50, label: "dense" }], [], 300, 200)
    assert.strictEqual(label.align, "right")
  })

  it("leaves out what has no room, and never a level", () => {
    const points = Array.from({ length: 30 }, (_, i) => ({ x: 50, y: 50 + i / 10, label: "label" }))
    const placed = placeLabels(points, [{ y: 50, label: "level" }], 300, 200)
    assert.isBelow(placed.length, 14)
    assert.strictEqual(placed[0].text, "level")
    const places = new Set(placed.map(({ x, y }) => `${x} ${y}`))
    assert.strictEqual(places.size, placed.length)
  })

  it("writes nothing where there is no label", () => {
    assert.deepStrictEqual(placeLabels([{ x: 1, y: 1, label: "" }], [], 300, 200), [])
  })
})
