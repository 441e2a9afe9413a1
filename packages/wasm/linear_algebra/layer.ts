import type { LinearAlgebraService } from "@espalier/tensor"
import { LinearAlgebra, Matrix } from "@espalier/tensor"
import { Effect, Layer } from "effect"
import { DevicePool } from "../device_pool.ts"
import { hasRelaxedSimd, hasSharedMemory, hasSimd } from "../features.ts"
import type { WasmOptions } from "../layer.ts"
import { availableThreads, workersHere } from "../workers.ts"
import type { Work } from "./engine.ts"
import {
  factor,
  invert,
  multiplyTransposed,
  solveBackwards,
  solveForwards,
} from "./factorisations.ts"
import type { Job } from "./workshop.ts"
import { Workshop } from "./workshop.ts"

/** Threads and instructions of {@link linearAlgebra}. */
export type LinearAlgebraOptions = Pick<WasmOptions, "threads" | "relaxedSimd">

/** Loads a matrix, and stores what became of it in new memory or in its own. */
const inPlace = (
  matrix: Matrix.Matrix,
  { consume = false }: Matrix.FactorOptions = {},
  write: (work: Work, data: Matrix.Numbers) => void,
): Pick<Job, "matrix" | "load" | "store"> => ({
  matrix,
  load: ({ triangle }) => triangle.load(matrix),
  store: (work) => {
    const result = consume ? matrix : Matrix.make(matrix.rows, matrix.columns)
    write(work, result.data)
    return result
  },
})

/** Loads a matrix and right sides, and stores what became of these. */
const system = (
  matrix: Matrix.Matrix,
  right: Matrix.Matrix,
): Pick<Job, "matrix" | "right" | "load" | "store"> => ({
  matrix,
  right,
  load: ({ triangle, rightSides }) => {
    triangle.load(matrix)
    rightSides.load(right)
  },
  store: ({ rightSides }) => {
    const result = Matrix.make(right.rows, right.columns)
    rightSides.store(result.data)
    return result
  },
})

const make = (workshop: Workshop, plain: LinearAlgebraService): LinearAlgebraService => ({
  ...plain,
  cholesky: (a, layer, options) =>
    workshop.do({
      ...inPlace(a, options, ({ triangle }, data) => triangle.store(data)),
      operation: "cholesky",
      layer,
      steps: [factor],
    }),
  inverseFactor: (h, layer, options) =>
    workshop.do({
      ...inPlace(h, options, ({ triangle }, data) => triangle.storeReversed(data)),
      operation: "inverseFactor",
      layer,
      load: ({ triangle }) => triangle.loadReversed(h),
      steps: [factor, invert],
      numberOf: (row) => h.rows - 1 - row,
    }),
  inverseFactorOfUpper: ({ size, data }, layer, { consume = false } = {}) =>
    workshop
      .do({
        operation: "inverseFactorOfUpper",
        layer,
        matrix: { rows: size, columns: size, data },
        load: ({ triangle }) => triangle.loadReversedUpper(data),
        steps: [factor, invert],
        store: ({ triangle }) => {
          const result = consume ? data : new Float64Array(data.length)
          triangle.storeReversedUpper(result)
          return { rows: size, columns: size, data: result }
        },
        numberOf: (row) => size - 1 - row,
      })
      .pipe(Effect.map((found) => ({ size, data: found.data }))),
  inversePositiveDefinite: (a, layer, options) =>
    workshop.do({
      ...inPlace(a, options, ({ triangle }, data) => triangle.storeSymmetric(data)),
      operation: "inversePositiveDefinite",
      layer,
      steps: [factor, invert, multiplyTransposed],
    }),
  solvePositiveDefinite: (a, b, layer) =>
    workshop.do({
      ...system(a, b),
      operation: "solvePositiveDefinite",
      layer,
      steps: [factor, solveForwards, solveBackwards],
    }),
})

/**
 * `LinearAlgebra` in WebAssembly SIMD, for any device: Cholesky factors, factors of inverses, inverses
 * and positive definite systems in `f64`, in tiles and on all threads. Results do not depend on the
 * number of threads. Beside operand and result it takes half a square of memory: free memory of the
 * device of this package where it is provided over one, else memory that it gives back after large
 * problems. What it does not bring (`solveTriangular`, `leastSquares`, everything where
 * there is no SIMD) stays as it was without this layer.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LinearAlgebra, Matrix } from "@espalier/tensor"
 * import * as Wasm from "@espalier/wasm"
 *
 * const h = Matrix.make(2, 2, [5, 2, 2, 4])
 * const u = await Effect.runPromise(
 *   LinearAlgebra.inverseFactor(h, "layer 0").pipe(Effect.provide(Wasm.linearAlgebra())),
 * )
 * console.log(u.data) // Float64Array(4) [ 0.5, -0.25, 0, 0.5 ]
 * ```
 */
export const linearAlgebra = (options: LinearAlgebraOptions = {}): Layer.Layer<never> =>
  Layer.effect(
    LinearAlgebra,
    Effect.gen(function* () {
      const plain = yield* LinearAlgebra
      if (!hasSimd()) return plain
      const workshop = new Workshop({
        threads: options.threads ?? availableThreads(),
        startWorker: hasSharedMemory() ? workersHere() : undefined,
        relaxed: options.relaxedSimd !== false && hasRelaxedSimd(),
        pool: yield* DevicePool,
      })
      yield* Effect.addFinalizer(() => workshop.close)
      return make(workshop, plain)
    }),
  )
