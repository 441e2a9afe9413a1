import { HostFallbacks } from "@espalier/runtime"
import { Context, Effect } from "effect"
import type { NotPositiveDefinite, ShapeError } from "./errors.ts"
import type {
  FactorOptions,
  LeastSquaresOptions,
  Matrix,
  TriangularOptions,
  UpperTriangle,
} from "./matrix.ts"
import * as Matrices from "./matrix.ts"

/** Factorisations in `f64` on the host. See the functions of `Matrix` for what each one gives. */
export interface LinearAlgebraService {
  readonly cholesky: (
    a: Matrix,
    layer?: string,
    options?: FactorOptions,
  ) => Effect.Effect<Matrix, NotPositiveDefinite | ShapeError>
  readonly inverseFactor: (
    h: Matrix,
    layer?: string,
    options?: FactorOptions,
  ) => Effect.Effect<Matrix, NotPositiveDefinite | ShapeError>
  readonly inverseFactorOfUpper: (
    h: UpperTriangle,
    layer?: string,
    options?: FactorOptions,
  ) => Effect.Effect<UpperTriangle, NotPositiveDefinite | ShapeError>
  readonly inversePositiveDefinite: (
    a: Matrix,
    layer?: string,
    options?: FactorOptions,
  ) => Effect.Effect<Matrix, NotPositiveDefinite | ShapeError>
  readonly solveTriangular: (
    l: Matrix,
    b: Matrix,
    options?: TriangularOptions,
  ) => Effect.Effect<Matrix, ShapeError>
  readonly solvePositiveDefinite: (
    a: Matrix,
    b: Matrix,
    layer?: string,
  ) => Effect.Effect<Matrix, NotPositiveDefinite | ShapeError>
  readonly leastSquares: (
    x: Matrix,
    y: Matrix,
    options?: LeastSquaresOptions,
  ) => Effect.Effect<Matrix, NotPositiveDefinite | ShapeError>
}

/** Turns what a plain function throws (tagged errors only) into a failure. */
const attempt =
  <A extends ReadonlyArray<unknown>, B, E>(f: (...operands: A) => B) =>
  (...operands: A): Effect.Effect<B, E> =>
    Effect.try({ try: () => f(...operands), catch: (error) => error as E })

const plain: LinearAlgebraService = {
  cholesky: attempt(Matrices.cholesky),
  inverseFactor: attempt(Matrices.inverseFactor),
  inverseFactorOfUpper: attempt(Matrices.inverseFactorOfUpper),
  inversePositiveDefinite: attempt(Matrices.inversePositiveDefinite),
  solveTriangular: attempt(Matrices.solveTriangular),
  solvePositiveDefinite: attempt(Matrices.solvePositiveDefinite),
  leastSquares: attempt(Matrices.leastSquares),
}

type Parameters<K extends keyof LinearAlgebraService> = globalThis.Parameters<
  LinearAlgebraService[K]
>

/** Says that the host did a device's work, then does it. */
const onHost = <A, E>(
  use: (service: LinearAlgebraService) => Effect.Effect<A, E>,
): Effect.Effect<A, E> =>
  Effect.andThen(HostFallbacks.record("LinearAlgebra"), Effect.flatMap(LinearAlgebra, use))

/**
 * Cholesky factors, triangular systems and least squares in `f64`, whatever the device: they decide
 * which weights stay, and `f32` is not enough for that. Without a layer it is plain TypeScript; a
 * device package may bring a faster one. Each use is recorded as the host fall-back `LinearAlgebra`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LinearAlgebra, Matrix } from "@espalier/tensor"
 *
 * const a = Matrix.make(2, 2, [4, 2, 2, 3])
 * const l = await Effect.runPromise(LinearAlgebra.cholesky(a, "layer 0"))
 * console.log(l.data) // Float64Array(4) [ 2, 0, 1, 1.4142135623730951 ]
 * ```
 */
export class LinearAlgebra extends Context.Reference<LinearAlgebraService>(
  "@espalier/tensor/LinearAlgebra",
  { defaultValue: () => plain },
) {
  /** The lower factor of a symmetric positive definite matrix. */
  static cholesky(...operands: Parameters<"cholesky">) {
    return onHost((service) => service.cholesky(...operands))
  }
  /** The upper factor of the inverse of a symmetric positive definite matrix. */
  static inverseFactor(...operands: Parameters<"inverseFactor">) {
    return onHost((service) => service.inverseFactor(...operands))
  }
  /** The same in half the memory: of its upper triangle, as an upper triangle. */
  static inverseFactorOfUpper(...operands: Parameters<"inverseFactorOfUpper">) {
    return onHost((service) => service.inverseFactorOfUpper(...operands))
  }
  /** The inverse of a symmetric positive definite matrix. */
  static inversePositiveDefinite(...operands: Parameters<"inversePositiveDefinite">) {
    return onHost((service) => service.inversePositiveDefinite(...operands))
  }
  /** Solves a lower triangular system, or its transpose. */
  static solveTriangular(...operands: Parameters<"solveTriangular">) {
    return onHost((service) => service.solveTriangular(...operands))
  }
  /** Solves a symmetric positive definite system. */
  static solvePositiveDefinite(...operands: Parameters<"solvePositiveDefinite">) {
    return onHost((service) => service.solvePositiveDefinite(...operands))
  }
  /** The smallest `‖x · w − y‖² + damping · ‖w‖²`. */
  static leastSquares(...operands: Parameters<"leastSquares">) {
    return onHost((service) => service.leastSquares(...operands))
  }
}
