import { assert, describe, expect, it } from "@effect/vitest"
import type { Schedule } from "../ir/schedule.ts"
import { printKernel } from "../ir/print.ts"
import * as Grad from "../gradient.ts"
import * as Program from "../program.ts"
import { Spec } from "../program.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"
import { checkSchedule } from "../testing/check_schedule.ts"

const steps = (schedule: Schedule): ReadonlyArray<string> => {
  checkSchedule(schedule)
  return schedule.steps.map(({ kernel }) => {
    const stages = kernel.kind === "rows" ? `: ${kernel.stages.map((s) => s.kind).join(" ")}` : ""
    return `${kernel.kind}${stages}`
  })
}

const of = (shape: ReadonlyArray<number>, build: (x: Tensor) => unknown) =>
  steps(Program.make("test", { x: Spec.f32(shape) }, ({ x }) => build(x)).schedule)

const norm = (x: Tensor): Tensor => {
  const centred = T.sub(x, T.mean(x, [-1], { keepDims: true }))
  const variance = T.mean(T.square(centred), [-1], { keepDims: true })
  return T.mul(centred, T.rsqrt(T.add(variance, 1e-5)))
}

describe("row-wise kernels", () => {
  it("make softmax, norms and cross-entropy one pass", () => {
    assert.deepStrictEqual(
      of([64, 32], (x) => T.softmax(x)),
      ["rows: reduce map reduce map"],
    )
    assert.deepStrictEqual(of([4, 16, 32], (x) => norm(x)).length, 1)
    assert.deepStrictEqual(of([64, 32], (x) => T.logSumExp(x)).length, 1)
  })

  it("take the gradient along", () => {
    const kernels = of([64, 32], (x) => Grad.grad((x: Tensor) => T.sum(T.square(T.softmax(x))))(x))
    assert.deepStrictEqual(kernels.length, 1)
  })

  it("store what others need, too", () => {
    const kernels = of([64, 32], (x) => {
      const exp = T.exp(T.sub(x, T.max(x, [1], { keepDims: true })))
      return [exp, T.div(exp, T.sum(exp, [1], { keepDims: true }))]
    })
    assert.deepStrictEqual(kernels.length, 1)
  })

  it("stop where another row is read", () => {
    const kernels = of([64, 32], (x) => {
      const sums = T.sum(x, [1], { keepDims: true })
      return T.sub(x, T.broadcastTo(T.flip(sums, [0]), [64, 32]))
    })
    assert.deepStrictEqual(kernels, ["reduce", "map"])
  })

  it("stop where something outside lies between", () => {
    const kernels = of([640, 32], (x) => {
      const rows = T.sum(x, [1], { keepDims: true })
      // All rows are needed for this before any row can go on.
      return T.mul(x, T.broadcastTo(T.mul(rows, T.sum(rows)), [640, 32]))
    })
    assert.deepStrictEqual(kernels.filter((kind) => kind.startsWith("rows")).length, 0)
  })

  it("leave long rows to many threads, and short ones alone", () => {
    assert.isAbove(of([2, 100000], (x) => T.softmax(x)).length, 1)
    assert.isAbove(of([4096, 2], (x) => T.softmax(x)).length, 1)
  })

  it("leave columns to the kernels that read them side by side", () => {
    assert.isAbove(of([64, 32], (x) => T.softmax(x, 0)).length, 1)
  })

  it("never make a circle of two groups", () => {
    const kernels = of([64, 32], (x) => {
      const a = T.sum(x, [1], { keepDims: true })
      const b = T.max(T.transpose(x), [0], { keepDims: true })
      const first = T.mul(x, T.add(a, T.reshape(b, [64, 1])))
      return [first, T.sum(first, [1]), T.sub(x, T.reshape(b, [64, 1]))]
    })
    assert.isAtLeast(kernels.length, 1)
  })

  it("print their stages and locals", () => {
    const { schedule } = Program.make("softmax", { x: Spec.f32([64, 32]) }, ({ x }) => T.softmax(x))
    expect(`\n${printKernel(schedule.steps[0].kernel)}\n`).toMatchInlineSnapshot(`
      "
      rows 64
      $0 write f32 2048
      $1 read f32 2048
      $2 local f32 1
      $3 local f32 32
      $4 local f32 1
      stage reduce 
      %0 i32 = multiply v0 32:i32
      %1 i32 = add %0 v1
      %2 f32 = $1[%1]
      %3 f32 = maximum arg0 arg1
      reduce 32 elements %2
      combine f32 from -3.4028234663852886e+38 %3
      store $2 arg0
      stage map 32
      %4 f32 = $2[0:i32]
      %5 f32 = subtract %2 %4
      %6 f32 = exp %5
      store $3 %6
      stage reduce 
      %7 f32 = $3[v1]
      %8 f32 = add arg0 arg1
      %9 f32 = divide 1 arg0
      reduce 32 elements %7
      combine f32 from 0 %8
      store $4 %9
      stage map 32
      %10 f32 = $4[0:i32]
      %11 f32 = multiply %7 %10
      store $0 %11
      "
    `)
  })
})
