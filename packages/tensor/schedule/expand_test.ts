import { assert, describe, it } from "@effect/vitest"
import type { Repeat, Schedule } from "../ir/schedule.ts"
import * as Kernel from "../custom_kernel.ts"
import * as Program from "../program.ts"
import { Spec } from "../program.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"
import { checkSchedule } from "../testing/check_schedule.ts"
import { executionOrder, expandCustom, expandRows } from "./expand.ts"

const kinds = ({ steps }: Schedule) => steps.map(({ kernel }) => kernel.kind)

const orderOf = (count: number, repeats: ReadonlyArray<Repeat>) => {
  const { schedule } = Program.make("one", { x: Spec.f32([2]) }, ({ x }) => T.neg(x))
  const steps = Array.from({ length: count }, () => schedule.steps[0])
  return [...executionOrder({ ...schedule, steps, repeats })]
}

describe("executionOrder", () => {
  it("runs each step once where nothing repeats", () => {
    assert.deepStrictEqual(orderOf(3, []), [0, 1, 2])
  })
  it("repeats ranges, one after the other and inside each other", () => {
    assert.deepStrictEqual(orderOf(3, [{ from: 1, to: 2, count: 3 }]), [0, 1, 1, 1, 2])
    const nested = [
      { from: 1, to: 2, count: 2 },
      { from: 0, to: 3, count: 2 },
    ]
    assert.deepStrictEqual(orderOf(4, nested), [0, 1, 1, 2, 0, 1, 1, 2, 3])
    const same = [
      { from: 0, to: 1, count: 2 },
      { from: 0, to: 1, count: 3 },
    ]
    assert.deepStrictEqual(orderOf(1, same), [0, 0, 0, 0, 0, 0])
  })
  it("leaves out what runs zero times", () => {
    assert.deepStrictEqual(orderOf(2, [{ from: 0, to: 1, count: 0 }]), [1])
  })
})

describe("expandRows", () => {
  const { schedule } = Program.make("softmax", { x: Spec.f32([16, 64]) }, ({ x }) => T.softmax(x))

  it("keeps what the device keeps", () => {
    assert.deepStrictEqual(kinds(schedule), ["rows"])
    assert.strictEqual(
      expandRows(schedule, () => true),
      schedule,
    )
  })

  it("gives each stage a kernel and each local a buffer", () => {
    const split = expandRows(schedule, () => false)
    assert.deepStrictEqual(kinds(split), ["reduce", "map", "reduce", "map"])
    assert.isAbove(split.arenaBytes, 4 * 16 * 64)
    checkSchedule(split)
  })
})

describe("expandCustom", () => {
  const inner = Kernel.define({ name: "inner", reference: ([x]) => [T.exp(x)] })
  const outer = Kernel.define({
    name: "outer",
    reference: ([x]) => [
      T.add(
        inner([T.neg(x)], {})[0],
        T.fromHost({ shape: [3], dtype: "f32", data: Float32Array.of(1, 2, 3) }),
      ),
    ],
  })
  const { schedule } = Program.make("calls", { x: Spec.f32([3]) }, ({ x }) => outer([x], {})[0])

  it("puts the steps of the reference in its place, inner calls included", () => {
    assert.deepStrictEqual(kinds(schedule), ["custom"])
    const whole = expandCustom(schedule, () => false)
    assert.isFalse(kinds(whole).includes("custom"))
    checkSchedule(whole)
    const half = expandCustom(schedule, ({ name }) => name === "inner")
    assert.strictEqual(kinds(half).filter((kind) => kind === "custom").length, 1)
    checkSchedule(half)
  })

  it("keeps what lives across the rounds of a loop apart from what does not", () => {
    const loop = Program.make("loop", { x: Spec.f32([5, 8]) }, ({ x }) =>
      Program.scan(
        (sum: Tensor, row: Tensor) => ({
          carry: T.add(T.softmax(sum), T.cumsum(row)),
          y: T.sum(row),
        }),
        { carry: T.zeros([8]), over: x },
      ),
    )
    const { steps, repeats, buffers } = expandCustom(loop.schedule, () => false)
    const [{ from, to, count }] = repeats
    assert.strictEqual(count, 5)
    const within = (id: number) => {
      const uses = steps.flatMap((step, at) => (step.buffers.includes(id) ? [at] : []))
      const [first, last] = [uses[0], uses.at(-1)!]
      const crosses = uses.some((at) => at >= from && at < to) && (first < from || last >= to)
      return crosses ? [Math.min(first, from), Math.max(last, to - 1)] : [first, last]
    }
    const temporaries = buffers.filter(({ role }) => role === "temporary")
    for (const a of temporaries) {
      for (const b of temporaries) {
        if (a.id >= b.id) continue
        const [[aFirst, aLast], [bFirst, bLast]] = [within(a.id), within(b.id)]
        if (aLast < bFirst || bLast < aFirst) continue
        const apart = a.offset! + 4 * a.length <= b.offset! || b.offset! + 4 * b.length <= a.offset!
        assert.isTrue(apart, `temporaries ${a.id} and ${b.id} overlap`)
      }
    }
  })
})
