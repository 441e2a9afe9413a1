import type { Accumulators, BlockInputs, Hessian } from "@espalier/calibration"
import {
  checkActivations,
  deadInputs,
  diagonalOf,
  inverseFactor,
  readHessian,
} from "@espalier/calibration"
import type { DeviceArray as Arrays, Matrix } from "@espalier/tensor"
import { DeviceArray, HostArray } from "@espalier/tensor"
import { Effect, Scope } from "effect"
import type { LayerInputs } from "./pruner.ts"

const missing = (what: string): never => {
  throw new TypeError(`this pruner reads ${what}, which its statistic does not gather`)
}

const withHessian = Effect.fnUntraced(function* (
  layer: string,
  samples: number,
  hessian: Hessian,
  squares: Float32Array,
  once: boolean,
) {
  const { inputs, data } = hessian
  const scope = yield* Effect.scope
  const upload = DeviceArray.fromHost(HostArray.make([inputs, inputs], data))
  const onDevice = yield* Effect.cached(Scope.provide(upload, scope))
  const factors = new Map<number, Matrix.Matrix>()
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
    : yield* withHessian(path, samples, hessian, squares, once)
})
