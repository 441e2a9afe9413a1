import { Notices } from "@espalier/runtime"
import type { Matrix as Matrices } from "@espalier/tensor"
import { LinearAlgebra, Matrix } from "@espalier/tensor"
import { Effect, Schema } from "effect"
import type { Hessian } from "./hessian.ts"
import { diagonalOf, fullHessian } from "./hessian.ts"

/** No damping that is worth using makes the Hessian of a layer invertible. */
export class HessianNotInvertible extends Schema.TaggedError<HessianNotInvertible>()(
  "HessianNotInvertible",
  { layer: Schema.String, damping: Schema.Finite, hint: Schema.String },
) {
  override get message(): string {
    return `the Hessian of ${this.layer} is not positive definite with damping ${this.damping}. ${this.hint}`
  }
}

/** The inputs that calibration never saw: H_jj = 0. */
export const deadInputs = (hessian: Hessian): ReadonlyArray<number> =>
  [...diagonalOf(hessian).entries()].flatMap(([j, value]) => (value === 0 ? [j] : []))

/** Σ H_jj / n over all inputs, dead ones included. */
export const meanDiagonal = (hessian: Hessian): number =>
  diagonalOf(hessian).reduce((sum, value) => sum + value, 0) / hessian.inputs

/** The diagonal of H with 1 for dead inputs and `damping` times its mean added. */
const dampedDiagonal = (diagonal: Float32Array, damping: number): Float64Array => {
  const alive = Float64Array.from(diagonal, (value) => (value === 0 ? 1 : value))
  const mean = alive.reduce((sum, value) => sum + value, 0) / alive.length
  return alive.map((value) => value + damping * mean)
}

/**
 * H with H_jj = 1 for dead inputs and `damping` times the mean of the diagonal added to it (Frantar &
 * Alistarh 2023, section 3.4: 0.01), in `f64`.
 */
export const dampedHessian = (hessian: Hessian, damping: number): Matrices.Matrix => {
  const { inputs } = hessian
  const damped = Matrix.make(inputs, inputs, Float64Array.from(fullHessian(hessian)))
  dampedDiagonal(diagonalOf(hessian), damping).forEach((value, j) => {
    damped.data[j * inputs + j] = value
  })
  return damped
}

/** Dampings beyond this make a method forget what the inputs were. */
const mostDamping = 1

/** Calls `factorise` with ten times as much damping until it works, and says so. */
const raising = <A, E>(
  layer: string,
  damping: number,
  factorise: (damping: number) => Effect.Effect<A, E>,
): Effect.Effect<A, HessianNotInvertible> =>
  factorise(damping).pipe(
    Effect.catch(() => {
      const next = damping === 0 ? 1e-4 : 10 * damping
      if (next > mostDamping) {
        const hint = "Calibrate on more text, or look for constant or huge activations."
        return Effect.fail(new HessianNotInvertible({ layer, damping, hint }))
      }
      return Effect.andThen(
        Notices.report(`${layer}: damping ${damping} is too little for its Hessian, took ${next}`),
        raising(layer, next, factorise),
      )
    }),
  )

/**
 * Calls `factorise` with the damped Hessian, and with ten times as much damping again until it works,
 * which is said. Fails with `HessianNotInvertible` where even as much as the mean does not help.
 */
export const withDamping = <A, E>(
  hessian: Hessian,
  layer: string,
  damping: number,
  factorise: (damped: Matrices.Matrix) => Effect.Effect<A, E>,
): Effect.Effect<A, HessianNotInvertible> =>
  raising(layer, damping, (share) => Effect.suspend(() => factorise(dampedHessian(hessian, share))))

/** Options of {@link inverseFactor}. */
export interface InverseFactorOptions {
  readonly layer: string
  /** Added to the diagonal, as a share of its mean; 0.01. */
  readonly damping?: number
  /** Writes the factor over the Hessian, which nobody may use any more: it is half the memory. */
  readonly consume?: boolean
}

/**
 * The upper triangular U with H⁻¹ = Uᵀ U for the damped Hessian of a layer: its row i says how much
 * the inputs after i can make good for what is done to input i. Computed in `f64`, kept in `f32`.
 */
export const inverseFactor = (
  hessian: Hessian,
  options: InverseFactorOptions,
): Effect.Effect<Matrices.UpperTriangle, HessianNotInvertible> =>
  Effect.suspend(() => {
    const { layer, damping = 0.01, consume = false } = options
    const { inputs } = hessian
    const diagonal = diagonalOf(hessian)
    const data = consume ? hessian.upper : Float32Array.from(hessian.upper)
    // What could not be factorised is as it was, but for its diagonal.
    return raising(layer, damping, (share) =>
      Effect.suspend(() => {
        dampedDiagonal(diagonal, share).forEach((value, j) => {
          data[Matrix.upperRow(inputs, j)] = value
        })
        return LinearAlgebra.inverseFactorOfUpper({ size: inputs, data }, layer, { consume: true })
      }),
    )
  })
