import { assert, describe, it } from "@effect/vitest"
import { layer as wasmLayer } from "@espalier/wasm"
import { correlatedTokens, differenceOf, draw } from "@espalier/testing"
import { Effect, Schema } from "effect"
import { magnitude } from "../magnitude.ts"
import { parseSparsity } from "../sparsity.ts"
import { pruneLayer, zerosOf } from "../testing/layers.ts"
import { wanda } from "../wanda.ts"
import { cholesky, inverseFactor, multiply, solve } from "./matrix.ts"
import * as Naive from "./mod.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const Count = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const half = parseSparsity("2:4")

const turned = (rows: Naive.Rows): Naive.Rows => rows[0].map((_, j) => rows.map((row) => row[j]))
const identity = (size: number): Naive.Rows =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (__, j) => (i === j ? 1 : 0)))

describe("plain matrices", () => {
  it.effect.prop(
    "are factored, solved and inverted",
    { size: Count(1, 12), seed: Count(0, 1e6) },
    ({ size, seed }) =>
      Effect.sync(() => {
        const a = Naive.hessianOf(correlatedTokens(4 * size, size, seed))
        const l = cholesky(a)
        assert.isBelow(differenceOf(multiply(l, turned(l)), a), 1e-12)
        const u = inverseFactor(a)
        assert.isBelow(differenceOf(multiply(multiply(turned(u), u), a), identity(size)), 1e-8)
        u.forEach((row, i) => assert.isTrue(row.every((value, j) => j >= i || value === 0)))
        const x = draw(1, size, seed)[0]
        const b = a.map((row) => row.reduce((sum, value, j) => sum + value * x[j], 0))
        assert.isBelow(differenceOf([solve(a, b)], [x]), 1e-8)
      }),
    { arbitrary: { runs: 30 } },
  )

  it("say where they are not positive definite", () => {
    assert.throws(
      () =>
        cholesky([
          [1, 2],
          [2, 1],
        ]),
      "pivot 1 is -3",
    )
  })

  it("add up tokens and errors", () => {
    const hessian = Naive.hessianOf([
      [1, 2],
      [0, 1],
    ])
    assert.deepStrictEqual(hessian, [
      [1, 2],
      [2, 5],
    ])
    // (1, 0) and (0, 1) see both tokens: 1² + 0² and 2² + 1².
    assert.strictEqual(
      Naive.squaredError(
        [
          [2, 7],
          [3, 8],
        ],
        [
          [1, 7],
          [3, 7],
        ],
        hessian,
      ),
      6,
    )
  })
})

describe("plain magnitude and Wanda", () => {
  it.effect.prop(
    "are what the fast ones give, bit for bit",
    { outputs: Count(1, 5), groups: Count(1, 4), of: Count(2, 5), seed: Count(0, 1e6) },
    ({ outputs, groups, of, seed }) =>
      Effect.gen(function* () {
        const weight = draw(outputs, groups * of, seed)
        const tokens = correlatedTokens(20, groups * of, seed + 1)
        const hessian = Naive.hessianOf(tokens)
        for (const text of [(seed % 11) / 10, `${1 + (seed % of)}:${of}`]) {
          const sparsity = parseSparsity(text)
          assert.deepStrictEqual(
            yield* pruneLayer(magnitude(), weight, tokens, text),
            Naive.magnitude(weight, sparsity),
          )
          assert.deepStrictEqual(
            yield* pruneLayer(wanda(), weight, tokens, text),
            Naive.wanda(weight, hessian, sparsity),
          )
        }
      }).pipe(Effect.provide(wasm)),
    { arbitrary: { runs: 15 } },
  )

  it("do by hand what they say", () => {
    const weight = [
      [1, -4, 3, 2],
      [5, 6, -7, 8],
    ]
    assert.deepStrictEqual(Naive.magnitude(weight, half), [
      [0, -4, 3, 0],
      [0, 0, -7, 8],
    ])
    assert.deepStrictEqual(Naive.magnitude(weight, parseSparsity(0.5)), [
      [0, 0, 0, 0],
      [5, 6, -7, 8],
    ])
    const hessian = Naive.hessianOf([
      [9, 0, 0, 1],
      [0, 1, 1, 1],
    ])
    assert.deepStrictEqual(Naive.wanda(weight, hessian, half), [
      [1, -4, 0, 0],
      [5, 0, 0, 8],
    ])
  })
})

describe("plain SparseGPT", () => {
  it("does one weight by hand", () => {
    // H⁻¹ of [[2, 1], [1, 2]] is [[2, −1], [−1, 2]] / 3. The first weight goes: w₁²/[H⁻¹]₁₁ is less
    // than w₂²/[H⁻¹]₂₂ after it; then w₂ − w₁ · [H⁻¹]₁₂ / [H⁻¹]₁₁ = 3 + 1/2.
    const [[first, second]] = Naive.sparseGpt(
      [[1, 3]],
      [
        [2, 1],
        [1, 2],
      ],
      parseSparsity("1:2"),
      {
        damping: 0,
      },
    )
    assert.strictEqual(first, 0)
    assert.closeTo(second, 3.5, 1e-12)
  })

  it("with every mask empty rounds as GPTQ does", () => {
    const weight = draw(3, 12, 1)
    const hessian = Naive.hessianOf(correlatedTokens(50, 12, 2))
    const quantise = (value: number) => Math.round(value * 4) / 4
    const found = Naive.sparseGpt(weight, hessian, parseSparsity(0), { quantise, blockSize: 5 })
    assert.deepStrictEqual(
      found,
      found.map((row) => row.map(quantise)),
    )
    const nearest = weight.map((row) => row.map(quantise))
    assert.isBelow(
      Naive.squaredError(found, weight, hessian),
      Naive.squaredError(nearest, weight, hessian),
    )
  })
})

describe("plain SDS", () => {
  const [weight, tokens] = [draw(6, 16, 3), correlatedTokens(80, 16, 4)]
  const hessian = Naive.hessianOf(tokens)

  it("has the sparsity asked for with every mask and adjustment", () => {
    for (const start of [Naive.wanda, Naive.sparseGpt]) {
      for (const secondMask of ["pruner", "magnitude"] as const) {
        for (const adjustment of ["least squares", "soft mask"] as const) {
          const options = { start, secondMask, adjustment, steps: 40 }
          const found = Naive.sds(weight, hessian, half, options)
          for (const row of zerosOf(found)) {
            for (let group = 0; group < 16; group += 4) {
              const removed = row.slice(group, group + 4).filter((zero) => zero)
              assert.strictEqual(removed.length, 2)
            }
          }
        }
      }
    }
  })

  // With larger steps, weights that are masked grow until they change places with others: worse.
  it("adjusts by the published soft mask as well, in small steps", () => {
    const errorOf = (rows: Naive.Rows) => Naive.squaredError(rows, weight, hessian)
    const options = { start: Naive.wanda, steps: 200, learningRate: 3e-4 }
    const soft = Naive.sds(weight, hessian, half, { ...options, adjustment: "soft mask" })
    assert.isBelow(errorOf(soft), errorOf(Naive.wanda(weight, hessian, half)))
    const refitted = Naive.maskedLeastSquares(soft, weight, hessian)
    assert.isBelow(errorOf(refitted), errorOf(soft))
  })

  it("without penalties goes back to the dense weights in the dense step", () => {
    const sparse = Naive.wanda(weight, hessian, half)
    const options = { absolutePenalty: 0, squaredPenalty: 0, steps: 5000 }
    assert.isBelow(differenceOf(Naive.denseStep(sparse, weight, hessian, options), weight), 1e-3)
  })
})
