import { assert, describe, it } from "@effect/vitest"
import { HostArray, Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import * as Layers from "./layers.ts"
import { constant, evaluate, numbers } from "./testing/evaluate.ts"

type T = Tensor.Tensor

const assertClose = (
  found: ReadonlyArray<number>,
  expected: ReadonlyArray<number>,
  tolerance = 1e-12,
) => {
  assert.strictEqual(found.length, expected.length)
  found.forEach((value, i) => assert.closeTo(value, expected[i], tolerance, `element ${i}`))
}

/** The rows of a row-major array. */
const rowsOf = (values: Iterable<number>, width: number): ReadonlyArray<ReadonlyArray<number>> => {
  const all = [...values]
  return Array.from({ length: all.length / width }, (_, i) => all.slice(i * width, (i + 1) * width))
}

const dot = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) =>
  a.reduce((sum, value, i) => sum + value * b[i], 0)

describe("linear", () => {
  it.effect("is x Wᵀ", () =>
    Effect.gen(function* () {
      const found = yield* evaluate(() => Layers.linear(constant([2, 3], 1), constant([4, 3], 2)))
      const weights = rowsOf(numbers(12, 2), 3)
      const expected = rowsOf(numbers(6, 1), 3).flatMap((x) => weights.map((row) => dot(x, row)))
      assertClose(found, expected)
    }),
  )
})

describe("rmsNorm", () => {
  it.effect("divides each row by its root mean square", () =>
    Effect.gen(function* () {
      const epsilon = 1e-3
      const gain = numbers(5, 9)
      const found = yield* evaluate(() =>
        Layers.rmsNorm(constant([2, 3, 5]), constant([5], 9), epsilon),
      )
      const expected = rowsOf(numbers(30), 5).flatMap((row) => {
        const root = Math.sqrt(dot(row, row) / 5 + epsilon)
        return row.map((x, i) => (x / root) * gain[i])
      })
      assertClose(found, expected)
    }),
  )

  it.effect("does not see the scale of its input", () =>
    Effect.gen(function* () {
      const norm = (factor: number) =>
        evaluate(() => Layers.rmsNorm(Tensor.mul(constant([4, 6]), factor), constant([6], 2), 0))
      assertClose(yield* norm(37), yield* norm(1))
    }),
  )
})

describe("gatedActivation", () => {
  it.effect("is silu(gate) · up", () =>
    Effect.gen(function* () {
      const found = yield* evaluate(() =>
        Layers.gatedActivation(constant([8], 3), constant([8], 4)),
      )
      const up = numbers(8, 4)
      assertClose(
        found,
        [...numbers(8, 3)].map((x, i) => (x / (1 + Math.exp(-x))) * up[i]),
      )
    }),
  )
})

describe("rotary embeddings", () => {
  const [length, width, theta] = [12, 8, 100]
  const tables = Layers.rotaryTables(length, width, theta)
  const rotated = (x: () => T) =>
    evaluate(() => Layers.rotate(x(), Tensor.fromHost(tables.cosine), Tensor.fromHost(tables.sine)))

  it.effect("turn each neighbouring pair as a complex number", () =>
    Effect.gen(function* () {
      const found = yield* rotated(() => constant([length, width]))
      const expected = rowsOf(numbers(length * width), width).flatMap((row, position) =>
        rowsOf(row, 2).flatMap(([x, y], pair) => {
          const angle = position * theta ** ((-2 * pair) / width)
          return [
            x * Math.cos(angle) - y * Math.sin(angle),
            x * Math.sin(angle) + y * Math.cos(angle),
          ]
        }),
      )
      assertClose(found, expected)
    }),
  )

  it.effect("keep norms, and leave position 0 alone", () =>
    Effect.gen(function* () {
      const found = rowsOf(yield* rotated(() => constant([length, width])), width)
      const before = rowsOf(numbers(length * width), width)
      assertClose(
        found.map((row) => dot(row, row)),
        before.map((row) => dot(row, row)),
      )
      assertClose(found[0], before[0])
    }),
  )

  it.effect("make scores depend on the distance of two positions only", () =>
    Effect.gen(function* () {
      const everywhere = (seed: number) =>
        Effect.map(
          rotated(() => Tensor.broadcastTo(constant([1, width], seed), [length, width])),
          (values) => rowsOf(values, width),
        )
      const queries = yield* everywhere(1)
      const keys = yield* everywhere(2)
      for (const distance of [0, 1, 5]) {
        const scores = keys
          .slice(0, length - distance)
          .map((key, i) => dot(queries[i + distance], key))
        assertClose(
          scores,
          scores.map(() => scores[0]),
        )
      }
    }),
  )

  it.effect("do not mix the heads of a batch", () =>
    Effect.gen(function* () {
      const all = yield* rotated(() => constant([2, 3, length, width]))
      const one = yield* rotated(() =>
        Tensor.reshape(
          Tensor.slice(constant([2, 3, length, width]), [1, 2, 0, 0], [2, 3, length, width]),
          [length, width],
        ),
      )
      assertClose(all.slice(-length * width), one, 0)
    }),
  )
})

describe("attention", () => {
  const [length, width] = [6, 4]
  const attend = (value: T, change = 0) => {
    // The last key and value change; nothing before them may notice.
    const last = Tensor.equal(Tensor.iota([length, 1], 0), length - 1)
    const altered = (x: T) => Tensor.where(last, Tensor.add(x, change), x)
    const [query, key] = [constant([2, length, width], 1), constant([2, length, width], 2)]
    return Layers.attention(query, altered(key), altered(value), Layers.causalMask(length))
  }

  it.effect("weighs the visible values with a softmax of the scaled scores", () =>
    Effect.gen(function* () {
      const found = yield* evaluate(() => attend(constant([2, length, width], 3)))
      const [query, key, value] = [1, 2, 3].map((seed) =>
        rowsOf(rowsOf(numbers(2 * length * width, seed), length * width)[1], width),
      )
      const expected = query.flatMap((q, i) => {
        const weights = key.slice(0, i + 1).map((k) => Math.exp(dot(q, k) / Math.sqrt(width)))
        const total = weights.reduce((sum, weight) => sum + weight)
        return q.map(
          (_, column) => dot(weights, value.map((v) => v[column]).slice(0, i + 1)) / total,
        )
      })
      assertClose(found.slice(length * width), expected)
    }),
  )

  it.effect("has rows of weights that sum to one", () =>
    Effect.gen(function* () {
      const found = yield* evaluate(() => attend(Tensor.ones([2, length, width])))
      assertClose(
        found,
        found.map(() => 1),
      )
    }),
  )

  it.effect("is causal: a later token changes nothing before it", () =>
    Effect.gen(function* () {
      const before = yield* evaluate(() => attend(constant([2, length, width], 3)))
      const after = yield* evaluate(() => attend(constant([2, length, width], 3), 5))
      const positions = rowsOf(before, width).map(
        (row, i) => [row, rowsOf(after, width)[i]] as const,
      )
      for (const [i, [was, is]] of positions.entries()) {
        if (i % length === length - 1) assert.notDeepEqual(is, was)
        else assert.deepStrictEqual(is, was)
      }
    }),
  )
})

describe("crossEntropy", () => {
  const targets = () => Tensor.fromHost(HostArray.make([2, 3], [0, 4, 2, 1, 6, 3], "i32"))

  it.effect("of uniform logits is the logarithm of the number of classes", () =>
    Effect.gen(function* () {
      const found = yield* evaluate(() =>
        Layers.crossEntropy(Tensor.full([2, 3, 7], 4.2), targets()),
      )
      assertClose(
        found,
        found.map(() => Math.log(7)),
      )
    }),
  )

  it.effect("is −log softmax at the target, unmoved by a shift of the logits", () =>
    Effect.gen(function* () {
      const of = (shift: number) =>
        evaluate(() => Layers.crossEntropy(Tensor.add(constant([2, 3, 7]), shift), targets()))
      const found = yield* of(0)
      const chosen = [0, 4, 2, 1, 6, 3]
      const expected = rowsOf(numbers(42), 7).map((row, i) => {
        const total = row.reduce((sum, x) => sum + Math.exp(x), 0)
        return Math.log(total) - row[chosen[i]]
      })
      assertClose(found, expected)
      assertClose(yield* of(700), found, 1e-10)
    }),
  )
})
