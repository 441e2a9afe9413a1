import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { LayeredMemory, type Memory } from "./layered_memory.ts"
import { makeLayerRules, type MemoryLayer } from "./layers.ts"

const remember = (
  memory: LayeredMemory,
  layer: MemoryLayer,
  options: {
    readonly text?: string
    readonly vector?: ReadonlyArray<number>
    readonly weight?: number
  } = {},
) => {
  const { text = "x", vector = [1, 0], weight = 0 } = options
  return memory.add({ layer, date: "2023-01-01", text, stance: 1, vector, weight })
}

const one = (memory: LayeredMemory): Memory => memory.memories[0]

describe("LayeredMemory", () => {
  it("scores by likeness, recency and importance", () => {
    const memory = new LayeredMemory()
    remember(memory, "mid", { vector: [3, 4], weight: 50 })
    memory.decay(10)
    const [{ score, importance }] = memory.recall([2, 0], 1)
    // Importance counts up to 100.
    assert.closeTo(importance, 120 * 0.967 ** 10, 1e-9)
    assert.closeTo(score, 0.6 + Math.exp(-10 / 90) + Math.min(importance, 100) / 100, 1e-7)
    const fresh = new LayeredMemory()
    remember(fresh, "long", { vector: [0, 0], weight: 60 })
    assert.strictEqual(fresh.recall([1, 0], 1)[0].score, 0 + 1 + 1)
  })

  it("recalls the highest scores of each layer, not the lowest", () => {
    const memory = new LayeredMemory()
    for (const [text, vector] of [
      ["unlike", [0, 1]],
      ["like", [1, 0]],
      ["between", [1, 1]],
    ] as const) {
      remember(memory, "short", { text, vector })
      remember(memory, "reflection", { text: `${text}, reflected`, vector })
    }
    assert.deepStrictEqual(
      memory.recall([1, 0], 2).map(({ text }) => text),
      ["like", "between", "like, reflected", "between, reflected"],
    )
  })

  it("adds 5 for each access with the sign of the profit, and does not compound", () => {
    const memory = new LayeredMemory()
    const id = remember(memory, "short")
    const found: Array<number> = []
    for (const profit of [120, 0.5, 3, -7, -0.1, 0]) {
      memory.feedback([id, 99], profit)
      found.push(one(memory).importance)
    }
    assert.deepStrictEqual(found, [55, 60, 65, 60, 55, 55])
    for (let i = 0; i < 20; i++) memory.feedback([id], -1)
    assert.strictEqual(one(memory).importance, 0)
  })

  it("decays as each layer does, a day or several at once", () => {
    for (const [layer, theta, q] of [
      ["short", 0.92, 3],
      ["mid", 0.967, 90],
      ["long", 0.988, 365],
      ["reflection", 0.988, 365],
    ] as const) {
      const memory = new LayeredMemory()
      remember(memory, layer)
      const begins = one(memory).importance
      memory.decay(1)
      memory.decay(2)
      assert.closeTo(one(memory).importance, begins * theta ** 3, 1e-9)
      assert.closeTo(memory.recency(one(memory)), Math.exp(-3 / q), 1e-12)
    }
    assert.strictEqual(makeLayerRules({ shortRecency: 14 }).short.recency, 14)
  })

  it("promotes at 60 and 80 and makes recent again, demotes below 60 and 80 and does not", () => {
    const memory = new LayeredMemory()
    const rising = remember(memory, "short", { weight: 17 })
    memory.decay(1)
    // 67 · 0.92 = 61.64
    assert.deepStrictEqual(memory.promote(), { promoted: 1, demoted: 0 })
    assert.deepStrictEqual([one(memory).layer, one(memory).age], ["mid", 0])
    for (let i = 0; i < 4; i++) memory.feedback([rising], 1)
    memory.decay(1)
    // 81.64 · 0.967 = 78.9 is short of 80.
    assert.deepStrictEqual(memory.promote(), { promoted: 0, demoted: 0 })
    memory.feedback([rising], 1)
    assert.deepStrictEqual(memory.promote(), { promoted: 1, demoted: 0 })
    assert.deepStrictEqual([one(memory).layer, one(memory).age], ["long", 0])
    // 83.9 · 0.988⁵ = 79.0 falls back, and then below 60.
    memory.decay(5)
    assert.deepStrictEqual(memory.promote(), { promoted: 0, demoted: 1 })
    assert.deepStrictEqual([one(memory).layer, one(memory).age], ["mid", 5])
    memory.decay(9)
    assert.deepStrictEqual(memory.promote(), { promoted: 0, demoted: 1 })
    assert.deepStrictEqual([one(memory).layer, one(memory).age], ["short", 14])
    // exp(−14 / 3) is below 0.05.
    assert.strictEqual(memory.clean(), 1)
  })

  it("forgets what is neither recent nor important", () => {
    const memory = new LayeredMemory()
    remember(memory, "short")
    remember(memory, "mid", { weight: -64.9 })
    assert.strictEqual(memory.clean(), 0)
    memory.decay(1)
    // 5.1 · 0.967 = 4.93
    assert.strictEqual(memory.clean(), 1)
    memory.decay(7)
    assert.strictEqual(memory.clean(), 0)
    memory.decay(1)
    // exp(−9 / 3) = 0.0498
    assert.strictEqual(memory.clean(), 1)
    assert.deepStrictEqual(memory.counts(), { short: 0, mid: 0, long: 0, reflection: 0 })
  })

  const Part = Schema.Finite.check(Schema.isBetween({ minimum: -9, maximum: 9 }))
  const Vector = Schema.Tuple([Part, Part, Part])
  it.effect.prop(
    "comes back from JSON with every bit",
    [Schema.Array(Vector), Vector],
    ([vectors, query]) =>
      Effect.sync(() => {
        const memory = new LayeredMemory()
        for (const vector of vectors) remember(memory, "short", { vector })
        memory.decay(1)
        memory.feedback([1], -1)
        const saved: unknown = JSON.parse(JSON.stringify(memory.save()))
        const restored = LayeredMemory.restore(saved)
        assert.deepStrictEqual(restored?.recall(query, 5), memory.recall(query, 5))
        assert.strictEqual(restored && remember(restored, "mid"), remember(memory, "mid"))
        assert.strictEqual(JSON.stringify(restored?.save()), JSON.stringify(memory.save()))
      }),
  )

  it("does not come back from anything else", () => {
    for (const saved of [undefined, 3, {}, { next: 1, memories: [{}] }]) {
      assert.isUndefined(LayeredMemory.restore(saved))
    }
  })
})
