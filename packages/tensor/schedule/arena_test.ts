import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { ScheduleBuffer, ScheduleStep } from "../ir/schedule.ts"
import { arenaAlignment } from "../ir/schedule.ts"
import { planArena } from "./arena.ts"

const kernel: ScheduleStep["kernel"] = {
  kind: "map",
  name: "x",
  loops: [],
  operands: [],
  outputs: [],
}

/** Lives of buffers as `[first step, length of life, elements]`. */
const lives = fc.array(fc.tuple(fc.nat(20), fc.nat(8), fc.integer({ min: 1, max: 900 })), {
  minLength: 1,
  maxLength: 40,
})

const plan = (all: ReadonlyArray<readonly [number, number, number]>) => {
  const buffers = all.map(([, , length], id): ScheduleBuffer => ({
    id,
    dtype: id % 3 === 0 ? "f64" : "f32",
    length,
    role: "temporary",
  }))
  const steps = Array.from({ length: 30 }, (_, at): ScheduleStep => ({
    kernel,
    buffers: all.flatMap(([first, life], id) => (at === first || at === first + life ? [id] : [])),
  }))
  return planArena(buffers, steps)
}

describe("planArena", () => {
  it("gives no byte to two buffers that are alive at once", () => {
    fc.assert(
      fc.property(lives, (all) => {
        const { buffers, arenaBytes } = plan(all)
        for (const a of buffers) {
          const end = a.offset! + a.length * (a.dtype === "f64" ? 8 : 4)
          assert.strictEqual(a.offset! % arenaAlignment, 0)
          assert.isAtMost(end, arenaBytes)
          for (const b of buffers.slice(a.id + 1)) {
            const [first, life] = all[a.id]
            const [otherFirst, otherLife] = all[b.id]
            const together = first <= otherFirst + otherLife && otherFirst <= first + life
            const apart =
              end <= b.offset! || b.offset! + b.length * (b.dtype === "f64" ? 8 : 4) <= a.offset!
            assert.isTrue(apart || !together, `${a.id} and ${b.id} overlap`)
          }
        }
      }),
      { numRuns: 300, seed: 1 },
    )
  })

  it("uses memory again when it is free", () => {
    const chain = Array.from({ length: 20 }, (_, i) => [i, 1, 64] as const)
    assert.strictEqual(plan(chain).arenaBytes, 2 * 512)
  })

  it("places nothing but temporaries", () => {
    const input: ScheduleBuffer = { id: 0, dtype: "f32", length: 9, role: "input" }
    const { buffers, arenaBytes } = planArena([input], [{ kernel, buffers: [0] }])
    assert.deepStrictEqual(buffers, [input])
    assert.strictEqual(arenaBytes, 0)
  })
})
