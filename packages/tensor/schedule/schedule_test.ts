import { assert, describe, it } from "@effect/vitest"
import * as Program from "../program.ts"
import { Spec } from "../program.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"
import { kernels, trace } from "../testing/trace.ts"
import { checkSchedule } from "../testing/check_schedule.ts"

describe("equal and idle subgraphs", () => {
  it("are computed once", () => {
    const found = trace([[4, 4]], (x) => {
      const [a, b] = [T.sum(T.exp(x), [0]), T.sum(T.exp(x), [0])]
      return T.add(a, T.mul(b, 2))
    })
    assert.strictEqual(found.steps.length, 1)
  })
  it("are not computed at all when nobody needs them", () => {
    const found = trace([[4]], (x) => {
      T.matmul(T.reshape(x, [4, 1]), T.reshape(x, [1, 4]))
      return T.neg(x)
    })
    assert.deepStrictEqual(kernels(found), ["map neg 4"])
  })
  it("are not computed when what would read them turns out not to", () => {
    const found = trace([[1, 2]], (x) => {
      const unused = T.div(x, T.add(T.square(T.sum(x)), 1))
      return T.neg(T.slice(T.concat([x, unused], 0), [0, 0], [1, 2]))
    })
    assert.deepStrictEqual(kernels(found), ["map neg 2"])
  })
  it("x · 1, x / 1 and x − 0 are x", () => {
    const found = trace([[4]], (x) => T.neg(T.sub(T.div(T.mul(x, 1), 1), 0)))
    assert.deepStrictEqual(kernels(found), ["map neg 4"])
  })
  it("0 and −0 are two numbers", () => {
    const found = trace([[4]], (x) => [T.div(x, 0), T.div(x, -0)])
    assert.strictEqual(found.steps.length, 2)
    assert.notStrictEqual(found.steps[0].buffers[0], found.steps[1].buffers[0])
  })
})

describe("outputs", () => {
  it("that are inputs, constants or each other are copied", () => {
    const found = trace([[3]], (x) => {
      const twice = T.mul(x, 2)
      return [
        twice,
        twice,
        x,
        T.scalar(5),
        T.fromHost({ shape: [2], dtype: "f32", data: Float32Array.of(1, 2) }),
      ]
    })
    assert.deepStrictEqual(kernels(found), [
      "map mul 3",
      "map copy 1",
      "map copy 3",
      "map copy 3",
      "map copy 2",
    ])
  })
})

describe("updates in place", () => {
  const specs = { cache: Spec.f32([8, 3]), at: Spec.i32([1]), row: Spec.f32([1, 3]) }
  const inPlace = (build: (inputs: { cache: Tensor; at: Tensor; row: Tensor }) => unknown) => {
    const { schedule } = Program.make("test", specs, build)
    checkSchedule(schedule)
    return schedule.inPlace.map(({ input, output }) => [
      schedule.inputs.indexOf(input),
      schedule.outputs.indexOf(output),
    ])
  }
  it("pair an output with the input whose rows it replaces", () => {
    assert.deepStrictEqual(
      inPlace(({ cache, at, row }) => T.updateRows(cache, at, row)),
      [[1, 0]],
    )
    const used = inPlace(({ cache, at, row }) => {
      const next = T.updateRows(cache, at, row)
      return [T.sum(next), next]
    })
    assert.deepStrictEqual(used, [[1, 1]])
    const added = inPlace(({ cache, at, row }) => [T.sum(cache), T.scatterAdd(cache, at, row)])
    assert.deepStrictEqual(added, [[1, 1]])
  })
  it("but not where the old rows are needed", () => {
    const later = inPlace(({ cache, at, row }) => {
      const next = T.updateRows(cache, at, row)
      return [next, T.sum(T.mul(next, cache))]
    })
    assert.deepStrictEqual(later, [])
    const passed = inPlace(({ cache, at, row }) => [T.updateRows(cache, at, row), cache])
    assert.deepStrictEqual(passed, [])
    const own = inPlace(({ cache, at }) => T.updateRows(cache, at, T.slice(cache, [0, 0], [1, 3])))
    assert.deepStrictEqual(own, [])
  })
  it("nor for two outputs at once, nor for values that are no input", () => {
    const two = inPlace(({ cache, at, row }) => [
      T.updateRows(cache, at, row),
      T.updateRows(cache, T.add(at, 1), row),
    ])
    assert.isAtMost(two.length, 1)
    const inner = inPlace(({ cache, at, row }) => T.updateRows(T.exp(cache), at, row))
    assert.deepStrictEqual(inner, [])
  })
  it("start from zeros without reading anything", () => {
    const { schedule } = Program.make("test", specs, ({ at, row }) =>
      T.scatterAdd(T.zeros([8, 3]), at, row),
    )
    const [step] = schedule.steps
    assert.isTrue(step.kernel.kind === "scatter" && step.kernel.initial === undefined)
    assert.strictEqual(step.buffers.length, 3)
  })
})
