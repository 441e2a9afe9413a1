import { assert, describe, expect, it } from "@effect/vitest"
import * as Grad from "../gradient.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"
import { kernels, trace } from "../testing/trace.ts"

const attention = (query: Tensor, key: Tensor, value: Tensor): Tensor => {
  const [length, depth] = [query.shape[2], query.shape[3]]
  const scores = T.mul(T.matmul(query, T.transpose(key)), 1 / Math.sqrt(depth))
  const causal = T.lessEqual(T.iota([length, length], 1), T.iota([length, length], 0))
  return T.matmul(T.softmax(T.where(causal, scores, -1e30)), value)
}
const crossEntropy = (logits: Tensor, targets: Tensor): Tensor =>
  T.mean(T.neg(T.sum(T.mul(T.logSoftmax(logits), T.oneHot(targets, logits.shape.at(-1)!)), [-1])))
const rmsNorm = (x: Tensor, weight: Tensor): Tensor =>
  T.mul(T.mul(x, T.rsqrt(T.add(T.mean(T.square(x), [-1], { keepDims: true }), 1e-5))), weight)

const many = (count: number) => Array.from({ length: count }, () => [3, 4])

describe("what becomes one kernel", () => {
  it("a chain of eight elementwise functions, in one loop", () => {
    const schedule = trace([[7, 33], [33]], (x, y) =>
      T.silu(T.add(T.mul(T.exp(T.neg(T.square(x))), y), 0.5)),
    )
    assert.strictEqual(schedule.steps.length, 1)
    const same = trace(
      [
        [7, 33],
        [7, 33],
      ],
      (x, y) => T.abs(T.sqrt(T.neg(T.exp(T.add(T.mul(T.sub(T.tanh(x), y), 2), y))))),
    )
    assert.deepStrictEqual(kernels(same), ["map tanh+sub+mul+add+exp+neg 231"])
  })

  it("a product with bias, activation and residual", () => {
    const shapes = [[6, 10], [10, 12], [12], [6, 12]]
    const build = (f: (x: Tensor) => Tensor) =>
      kernels(trace(shapes, (x, w, b, r) => T.add(f(T.add(T.matmul(x, w), b)), r)))
    assert.deepStrictEqual(build(T.gelu), ["contract matmul+add+mul+erf 6x12x10"])
    assert.strictEqual(build(T.silu).length, 1)
    assert.strictEqual(build((x) => T.gelu(T.silu(x))).length, 1)
  })

  it("a product whose rows are split into heads and back", () => {
    const found = trace(
      [
        [2, 5, 8],
        [8, 12],
        [2, 5, 12],
      ],
      (x, w, r) => T.relu(T.add(T.matmul(x, w), r)),
    )
    assert.deepStrictEqual(kernels(found), ["contract matmul+add+maximum 10x12x8"])
  })

  it("a fold with what comes before and after it", () => {
    const found = trace([[5, 65]], (x) => T.sqrt(T.mean(T.square(T.exp(x)), [1])))
    assert.deepStrictEqual(kernels(found), ["reduce sum+exp+mul+sqrt 5x65"])
  })

  it("views cost no kernel and no loop", () => {
    const found = trace([[4, 6, 8]], (x) => {
      const moved = T.reshape(T.permute(T.reshape(x, [4, 6, 2, 4]), [0, 2, 1, 3]), [8, 24])
      return T.neg(T.reshape(moved, [4, 2, 6, 4]))
    })
    assert.strictEqual(found.steps.length, 1)
    const plain = trace([[4, 6, 8]], (x) => T.neg(T.reshape(T.reshape(x, [24, 8]), [6, 32])))
    assert.deepStrictEqual(kernels(plain), ["map neg 192"])
    const cut = trace([[6, 8]], (x) =>
      T.exp(T.pad(T.flip(T.slice(x, [1, 0], [5, 8]), [1]), [0, 2], [1, 0])),
    )
    assert.strictEqual(cut.steps.length, 1)
  })

  it("the gather of an embedding, with its scaling", () => {
    const found = trace(
      [
        [11, 6],
        [4, 5],
      ],
      (table, at) => T.mul(T.take(table, T.cast(at, "i32")), 3),
    )
    assert.strictEqual(found.steps.length, 1)
  })
})

describe("kernels of what models are made of", () => {
  it("softmax", () => {
    expect(kernels(trace([[5, 65]], (x) => T.softmax(x)))).toMatchInlineSnapshot(`
      [
        "rows max+sub+exp+sum+div+mul 5",
      ]
    `)
  })
  it("RMS norm into a product", () => {
    const found = trace([[9, 32], [32], [20, 32]], (x, w, p) =>
      T.matmul(rmsNorm(x, w), T.transpose(p)),
    )
    expect(kernels(found)).toMatchInlineSnapshot(`
      [
        "reduce sum+mul+add+sqrt+div 9x32",
        "contract matmul+mul 9x20x32",
      ]
    `)
  })
  it("causal attention", () => {
    const shape = [2, 3, 9, 8]
    const found = trace([shape, shape, shape], (q, k, v) => attention(q, k, v))
    expect(kernels(found)).toMatchInlineSnapshot(`
      [
        "contract matmul+le+mul+where 6x9x9x8",
        "rows max+sub+exp+sum+div 54",
        "contract matmul+mul 6x9x8x9",
      ]
    `)
  })
  it("cross-entropy and its gradient", () => {
    const found = trace([[6, 17], [6]], (x, t) => {
      const targets = T.cast(t, "i32")
      const { value, grads } = Grad.valueAndGrad((y: Tensor) => crossEntropy(y, targets))(x)
      return [value, grads]
    })
    expect(kernels(found)).toMatchInlineSnapshot(`
      [
        "rows max+sub+exp+sum+log+add 6",
        "reduce sum+mul 6",
      ]
    `)
  })
  it("a training step of a linear layer", () => {
    const found = trace([[8, 4], [4, 3], [8, 3], []], (x, w, y, rate) => {
      const loss = (p: Tensor) => T.mean(T.square(T.sub(T.matmul(x, p), y)))
      const { value, grads } = Grad.valueAndGrad(loss)(w)
      return [value, T.sub(w, T.mul(grads, rate))]
    })
    expect(kernels(found)).toMatchInlineSnapshot(`
      [
        "contract matmul+sub 8x3x4",
        "rows sum+mul+add 1",
        "contract matmul+mul+sub 4x3x8",
      ]
    `)
  })
})

describe("no kernel binds more than eight buffers", () => {
  // checkSchedule, which trace calls, refuses more.
  it("in sums of many terms", () => {
    for (const count of [7, 8, 9, 20, 50]) {
      trace(many(count), (...xs) => xs.reduce((a, b) => T.add(a, b)))
      const tree = (xs: ReadonlyArray<Tensor>): Tensor =>
        xs.length === 1
          ? xs[0]
          : T.mul(tree(xs.slice(0, xs.length >> 1)), tree(xs.slice(xs.length >> 1)))
      trace(many(count), (...xs) => tree(xs))
    }
    assert.strictEqual(trace(many(7), (...xs) => xs.reduce((a, b) => T.add(a, b))).steps.length, 1)
    assert.strictEqual(trace(many(20), (...xs) => xs.reduce((a, b) => T.add(a, b))).steps.length, 4)
  })
  it("in concatenations of many inputs", () => {
    for (const count of [7, 8, 20, 60]) {
      for (const axis of [0, 1]) {
        trace(many(count), (...xs) => T.concat(xs, axis))
        trace(many(count), (...xs) => T.sum(T.exp(T.stack(xs, axis))))
      }
    }
  })
  it("in products, folds and selections of wide sums", () => {
    const sum = (xs: ReadonlyArray<Tensor>) => xs.reduce((a, b) => T.add(a, b))
    trace(many(12), (...xs) => T.matmul(sum(xs.slice(0, 6)), T.transpose(sum(xs.slice(6)))))
    trace(many(12), (...xs) =>
      T.where(T.less(sum(xs.slice(0, 5)), 0), sum(xs.slice(3, 9)), sum(xs.slice(6))),
    )
    trace(many(12), (...xs) => T.sum(sum(xs), [1]))
    trace(many(16), (...xs) =>
      T.add(T.matmul(xs[0], T.transpose(xs[1])), T.matmul(sum(xs), T.transpose(sum(xs)))),
    )
  })
  it("when a value that was computed in place is stored for another user", () => {
    trace(many(8), (...xs) => {
      const inner = T.tanh(T.tanh(T.tanh(T.tanh(xs[0]))))
      const wide = xs.slice(1, 7).reduce((a, b) => T.add(a, b), T.mul(inner, xs[0]))
      return [wide, T.matmul(inner, T.transpose(inner)), xs[7]]
    })
  })
})

describe("a view that shows a part", () => {
  it("of a concatenation reads that part only", () => {
    const part = (axis: number, start: number) =>
      trace(many(3), (...xs) => T.exp(T.sliceAxis(T.concat(xs, axis), axis, start, start + 3)))
    assert.strictEqual(part(0, 3).steps[0].kernel.operands.length, 2)
    assert.strictEqual(part(0, 2).steps[0].kernel.operands.length, 3)
    assert.strictEqual(part(0, 6).steps[0].kernel.operands.length, 2)
  })
  it("of the padding only reads nothing", () => {
    const found = trace([[3, 3]], (x) => T.slice(T.pad(x, [3, 1], [4, 0]), [0, 0], [3, 4]))
    assert.deepStrictEqual(found.steps[0].kernel.operands.length, 1)
  })
})

describe("long graphs", () => {
  it("of ten thousand operations are scheduled without overflowing the stack", () => {
    const schedule = trace([[8]], (x) => {
      let y = x
      for (let i = 0; i < 10_000; i++) y = T.add(T.mul(y, 0.5), x)
      return y
    })
    assert.isBelow(schedule.steps.length, 400)
  })
})
