import { assert, describe, it } from "@effect/vitest"
import { shuffled, stratifiedGroupFolds, uniformNumbers } from "./mod.ts"

const next = uniformNumbers(5)
const items = Array.from({ length: 300 }, (_, i) => ({
  label: next() < 0.2 ? "rare" : next() < 0.5 ? "some" : "many",
  ...(i % 3 === 0 ? { group: `${Math.floor(i / 12)}` } : {}),
}))

describe("stratifiedGroupFolds", () => {
  it("keeps groups whole", () => {
    const folds = stratifiedGroupFolds(items, 5, 1)
    const placed = new Map<string, number>()
    for (const [i, { group }] of items.entries()) {
      if (group === undefined) continue
      assert.strictEqual(placed.get(group) ?? folds[i], folds[i])
      placed.set(group, folds[i])
    }
  })

  it("spreads labels and items evenly", () => {
    const folds = stratifiedGroupFolds(items, 5, 1)
    for (const label of ["rare", "some", "many"]) {
      const total = items.filter((item) => item.label === label).length
      for (let fold = 0; fold < 5; fold++) {
        const here = items.filter((item, i) => item.label === label && folds[i] === fold).length
        assert.closeTo(here, total / 5, 4, `${label} in ${fold}`)
      }
    }
  })

  it("depends on the seed and nothing else", () => {
    assert.deepEqual(stratifiedGroupFolds(items, 5, 1), stratifiedGroupFolds(items, 5, 1))
    assert.notDeepEqual(stratifiedGroupFolds(items, 5, 1), stratifiedGroupFolds(items, 5, 2))
  })

  it("refuses more folds than groups, and one fold", () => {
    assert.throws(
      () =>
        stratifiedGroupFolds(
          [
            { label: "a", group: 1 },
            { label: "b", group: 1 },
          ],
          2,
        ),
      RangeError,
    )
    assert.throws(() => stratifiedGroupFolds(items, 1), RangeError)
  })
})

describe("shuffled", () => {
  it("keeps every item once", () => {
    const order = shuffled(items, 3)
    assert.strictEqual(new Set(order).size, items.length)
    assert.notDeepEqual(order, items)
  })
})
