import type { CompileError, Device, DeviceArray as Arrays, Matrix, Program } from "@espalier/tensor"
import { DeviceArray, HostArray } from "@espalier/tensor"
import { Effect, Scope } from "effect"
import type { NonFiniteValues } from "./errors.ts"
import { checkActivations } from "./errors.ts"
import type { Hessian } from "./hessian.ts"
import { diagonalOf, fullHessian, readHessian } from "./hessian.ts"
import type { HessianNotInvertible } from "./inverse_factor.ts"
import { deadInputs, inverseFactor } from "./inverse_factor.ts"
import type { Accumulators } from "./statistic.ts"
import type { BlockInputs } from "./walk_blocks.ts"

/** What can go wrong in any method that changes linears. */
export type MethodError = Program.RunError | CompileError | NonFiniteValues | HessianNotInvertible

/** What calibration says about the inputs of a linear. Everything is computed once for all linears that share them. */
export interface LayerInputs {
  /** Calibration windows. */
  readonly samples: number
  /** Σ x² of each input over all tokens. */
  readonly squares: Float32Array
  /** Needs the statistic `hessianOfInputs`, as do all below. */
  readonly hessian: Hessian
  /** The same on the device, [inputs, inputs]; there from its first use on. */
  readonly onDevice: Effect.Effect<Arrays.DeviceArray, MethodError, Device | Scope.Scope>
  /** Inputs that no token reached. */
  readonly dead: ReadonlyArray<number>
  /** The upper factor of the inverse of the damped Hessian. */
  readonly factor: (damping: number) => Effect.Effect<Matrix.UpperTriangle, HessianNotInvertible>
}

const missing = (what: string): never => {
  throw new TypeError(`this method reads ${what}, which its statistic does not gather`)
}

/** What a Hessian says about the inputs of a linear. */
export const layerInputsOf = Effect.fnUntraced(function* (
  layer: string,
  samples: number,
  hessian: Hessian,
  squares: Float32Array,
  once: boolean,
) {
  const { inputs } = hessian
  const scope = yield* Effect.scope
  const upload = Effect.suspend(() =>
    DeviceArray.fromHost(HostArray.make([inputs, inputs], fullHessian(hessian))),
  )
  const onDevice = yield* Effect.cached(Scope.provide(upload, scope))
  const factors = new Map<number, Matrix.UpperTriangle>()
  const found: LayerInputs = {
    samples,
    squares,
    hessian,
    onDevice,
    dead: deadInputs(hessian),
    factor: (damping) =>
      Effect.suspend(() => {
        const known = factors.get(damping)
        if (known !== undefined) return Effect.succeed(known)
        return Effect.tap(inverseFactor(hessian, { layer, damping, consume: once }), (factor) =>
          Effect.sync(() => {
            // One is as large as the Hessian: only the last is kept.
            factors.clear()
            factors.set(damping, factor)
          }),
        )
      }),
  }
  return found
})

const withSquares = (samples: number, squares: Float32Array | undefined): LayerInputs => ({
  samples,
  get squares() {
    return squares ?? missing("squared inputs")
  },
  get hessian() {
    return missing("a Hessian")
  },
  get onDevice() {
    return missing("a Hessian")
  },
  get dead() {
    return squares === undefined
      ? []
      : [...squares.entries()].flatMap(([j, square]) => (square === 0 ? [j] : []))
  },
  factor: () => missing("a Hessian"),
})

const readSquares = (squares: Arrays.DeviceArray) =>
  Effect.map(DeviceArray.toHost(squares), ({ data }) => Float32Array.from(data))

/**
 * Reads what a walk gathered for one group of linears, and checks that it is finite. With `once` the
 * Hessian is good for one factor and nothing else.
 */
export const readLayerInputs = Effect.fnUntraced(function* (
  { linears, statistics }: BlockInputs,
  samples: number,
  once = false,
) {
  const [{ path, shape }] = linears
  const given: Accumulators<Arrays.DeviceArray> = statistics
  const names = Object.keys(given)
  if (names.length === 0) return withSquares(samples, undefined)
  const isHessian = given["squares"] === undefined
  const hessian = isHessian ? yield* readHessian(shape[1], given) : undefined
  const squares = hessian === undefined ? yield* readSquares(given["squares"]) : diagonalOf(hessian)
  const problem = checkActivations(path, squares)
  if (problem !== undefined) return yield* problem
  return hessian === undefined
    ? withSquares(samples, squares)
    : yield* layerInputsOf(path, samples, hessian, squares, once)
})
