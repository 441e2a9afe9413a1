import { assert, describe, expect, it } from "@effect/vitest"
import { costOf } from "./explain.ts"
import * as Program from "./program.ts"
import { Scalar, Spec } from "./program.ts"
import * as T from "./tensor_functions.ts"

const explained = <I>(
  name: string,
  inputs: I,
  build: Parameters<typeof Program.make<I, unknown>>[2],
) => `\n${Program.explain(Program.make(name, inputs, build))}\n`

describe("Program.explain", () => {
  it("names kernels, loops, cost and buffers", () => {
    const specs = {
      x: Spec.f32([64, 128]),
      w: Spec.f32([128, 32]),
      b: Spec.f32([32]),
      scale: Scalar,
    }
    const text = explained("layer", specs, ({ x, w, b, scale }) => ({
      y: T.softmax(T.gelu(T.add(T.matmul(x, w), b))),
      norm: T.mul(T.sum(T.square(x)), scale),
    }))
    expect(text).toMatchInlineSnapshot(`
      "
      layer: 3 kernels, reads 88.1 KiB, writes 16.0 KiB, 563.3 kFLOP, arena 8.0 KiB
        reduce    sum+mul                  1 over 8192          reads 32.0 KiB  writes 4 B      16.4 kFLOP   x scale → norm
        contract  matmul+add+mul+erf       64×32 over 128       reads 48.1 KiB  writes 8.0 KiB  536.6 kFLOP  x w b → t6
        rows      max+sub+exp+sum+div+mul  64 rows in 4 stages  reads 8.0 KiB   writes 8.0 KiB  10.3 kFLOP   t6 → y
      "
    `)
  })

  it("says what may be updated in place, and shows scans and constants", () => {
    const specs = { cache: Spec.f32([16, 8]), at: Spec.i32([1]), row: Spec.f32([1, 8]) }
    const text = explained("append", specs, ({ cache, at, row }) => {
      const table = T.fromHost({ shape: [8], dtype: "f32", data: new Float32Array(8) })
      return [T.updateRows(cache, at, T.add(row, table)), T.cumsum(cache)]
    })
    expect(text).toMatchInlineSnapshot(`
      "
      append: 2 kernels, reads 1.1 KiB, writes 1.0 KiB, 136 FLOP, arena 0 B
        scatter  updateRows  1×8 into 16 rows  reads 580 B  writes 512 B  8 FLOP    cache at row c5 → 0
        scan     cumsum      16 along 8        reads 512 B  writes 512 B  128 FLOP  cache → 1
      "
    `)
  })

  it("of nothing but inputs is one line and a copy", () => {
    expect(explained("same", { x: Spec.f32([3]) }, ({ x }) => x)).toMatchInlineSnapshot(`
      "
      same: 1 kernel, reads 12 B, writes 12 B, 0 FLOP, arena 0 B
        map  copy  3  reads 12 B  writes 12 B  0 FLOP  x → value
      "
    `)
  })

  it("counts what a product costs", () => {
    const specs = { x: Spec.f32([6, 5]), y: Spec.f32([5, 7]) }
    const program = Program.make("product", specs, ({ x, y }) => T.add(T.matmul(T.neg(x), y), 1))
    const [step] = program.schedule.steps
    assert.deepStrictEqual(costOf(step.kernel), {
      bytesRead: 4 * (30 + 35),
      bytesWritten: 4 * 42,
      flops: 2 * 6 * 5 * 7 + 30 + 42,
    })
  })
})
