import { HostFallbacks } from "@espalier/runtime"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { NotPositiveDefinite, ShapeError } from "./errors.ts"
import { LinearAlgebra } from "./linear_algebra.ts"
import * as Matrix from "./matrix.ts"

const a = Matrix.make(2, 2, [4, 2, 2, 3])
const b = Matrix.make(2, 1, [2, 5])

describe("LinearAlgebra", () => {
  it.effect("works without a layer", () =>
    Effect.gen(function* () {
      const l = yield* LinearAlgebra.cholesky(a)
      assert.deepStrictEqual(l, Matrix.cholesky(a))
      assert.deepStrictEqual(yield* LinearAlgebra.inverseFactor(a), Matrix.inverseFactor(a))
      const inverse = yield* LinearAlgebra.inversePositiveDefinite(a)
      assert.deepStrictEqual(inverse, Matrix.inversePositiveDefinite(a))
      assert.deepStrictEqual(
        yield* LinearAlgebra.solveTriangular(l, b),
        Matrix.solveTriangular(l, b),
      )
      const x = yield* LinearAlgebra.solvePositiveDefinite(a, b)
      assert.deepStrictEqual(x, Matrix.solvePositiveDefinite(a, b))
      const w = yield* LinearAlgebra.leastSquares(a, b, { damping: 1 })
      assert.deepStrictEqual(w, Matrix.leastSquares(a, b, { damping: 1 }))
    }),
  )

  it.effect("fails with typed errors", () =>
    Effect.gen(function* () {
      const indefinite = Matrix.make(2, 2, [1, 2, 2, 1])
      const error = yield* Effect.flip(LinearAlgebra.cholesky(indefinite, "blocks.3.down"))
      assert.instanceOf(error, NotPositiveDefinite)
      assert.strictEqual(error.layer, "blocks.3.down")
      const mismatch = yield* Effect.flip(LinearAlgebra.solveTriangular(a, Matrix.make(3, 1)))
      assert.instanceOf(mismatch, ShapeError)
    }),
  )

  it.effect("is listed as a host fall-back", () =>
    Effect.gen(function* () {
      const [, fallbacks] = yield* HostFallbacks.collect(LinearAlgebra.cholesky(a))
      assert.deepStrictEqual(fallbacks, ["LinearAlgebra"])
    }),
  )

  it.effect("can be replaced by a faster one", () =>
    Effect.gen(function* () {
      const plain = yield* LinearAlgebra
      const faster = { ...plain, cholesky: () => Effect.succeed(b) }
      const found = yield* Effect.provideService(LinearAlgebra.cholesky(a), LinearAlgebra, faster)
      assert.strictEqual(found, b)
    }),
  )
})
