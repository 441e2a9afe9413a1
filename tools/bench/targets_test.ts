import { assert, describe, it } from "vitest"
import { measured } from "./testing/outcomes.ts"
import { gpuTargets, judge, sayTarget } from "./targets.ts"

const ours = measured({ engine: "ours" }, [2, 4, 3], 100)
const oursThreaded = measured({ engine: "ours" }, [1, 2, 3], 150)
const hostOnly = measured({ engine: "ours", hostOnly: true }, [0.1])
const torch = measured({ engine: "torch" }, [3, 3, 3], 200)
const torchThreaded = measured({ engine: "torch" }, [9, 9, 9], 400)
const jax = measured({ engine: "jax" }, [10])
const lentJax = measured({ engine: "jax", lent: true }, [4])

describe("judge", () => {
  it("compares the better number of threads on both sides", () => {
    const outcomes = [ours, oursThreaded, hostOnly, torch, torchThreaded]
    const { met, margin, measured } = judge({ kind: "speed", than: "torch", atLeast: 1 }, outcomes)
    assert.isTrue(met)
    assert.closeTo(margin!, 1.5, 1e-9)
    assert.strictEqual(measured, "speed 1.50 × (3.00 × of the best rounds)")
  })

  it("says a miss, and by how much", () => {
    const target = { kind: "speed", than: "torch", atLeast: 2 } as const
    const { met, margin } = judge(target, [oursThreaded, torch])
    assert.isFalse(met)
    assert.closeTo(margin!, 0.75, 1e-9)
  })

  it("turns the ratio round where a time is asked for", () => {
    const target = { kind: "relativeTime", than: "torch", atMost: 1.5 } as const
    const { met, margin } = judge(target, [measured({ engine: "ours" }, [6]), torch])
    assert.isFalse(met)
    assert.closeTo(margin!, 0.75, 1e-9)
  })

  it("judges peers as installed and tells what lent workers do", () => {
    const target = { kind: "speed", than: "jax", atLeast: 3 } as const
    const { met, measured } = judge(target, [ours, jax, lentJax])
    assert.isTrue(met)
    assert.include(measured, "1.33 × with workers lent to it")
  })

  it("compares rates, times and memory", () => {
    const rate = judge({ kind: "rate", atLeast: 5000 }, [ours], 30)
    assert.strictEqual(rate.measured, "10,000 a second")
    assert.isTrue(rate.met)
    assert.isFalse(judge({ kind: "time", atMost: 2.9 }, [ours]).met)
    assert.isTrue(judge({ kind: "memory", than: "torch", atMost: 0.5 }, [ours, torch]).met)
  })

  it("is neither met nor missed where one side is absent or red", () => {
    const target = { kind: "speed", than: "torch", atLeast: 1 } as const
    const red = { state: "red", contestant: torch.contestant, why: "wrong" } as const
    assert.isUndefined(judge(target, [ours, red]).met)
    assert.isUndefined(judge(target, [hostOnly, torch]).met)
  })
})

describe("sayTarget", () => {
  it("reads like the table of targets", () => {
    assert.strictEqual(
      sayTarget({ kind: "speed", than: "torch", atLeast: 0.8, aim: 1 }),
      "speed ≥ 0.80 × that of PyTorch, aim at 1.00 ×",
    )
    assert.strictEqual(
      sayTarget({ kind: "rate", atLeast: 5000, aim: 10_000 }),
      "≥ 5,000 a second, aim at 10,000",
    )
  })
})

describe("gpuTargets", () => {
  it("keeps what compares our speed with PyTorch, or with ours", () => {
    const targets = [
      { kind: "speed", than: "torch", atLeast: 1 },
      { kind: "speed", than: "plain", atLeast: 1 },
      { kind: "speed", than: "jax", atLeast: 1 },
      { kind: "memory", than: "torch", atMost: 1 },
      { kind: "time", atMost: 1 },
    ] as const
    assert.deepStrictEqual(gpuTargets(targets), targets.slice(0, 2))
  })
})
