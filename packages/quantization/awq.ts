import type { ScaleProblem } from "@espalier/calibration"
import { hessianOfInputs, layerError } from "@espalier/calibration"
import { HostArray } from "@espalier/tensor"
import { Effect } from "effect"
import type { RangeSearch } from "./grid.ts"
import { gridOf, quantizeOnGrid } from "./grid.ts"
import { dequantize, floatsOf } from "./quantized_weight.ts"
import type { Quantizer } from "./quantizer.ts"
import { rtn } from "./rtn.ts"
import type { Scheme } from "./scheme.ts"

/** Options of {@link awq}. */
export interface AwqOptions {
  /** Exponents that are tried beside 0: 1/steps, 2/steps … 1; 20. */
  readonly steps?: number
  /** How the range of a group is chosen, in the search and by default after it; `min-max`. */
  readonly range?: RangeSearch
  /** What rounds the scaled weights; `rtn({ range })`. */
  readonly quantizer?: Quantizer
}

/**
 * (√ mean x²)^α of each input, divided by the geometric mean of the largest and the smallest; 1 for
 * inputs that were never seen.
 */
export const awqScales = (squares: Float32Array, exponent: number): Float32Array => {
  const seen = squares.filter((square) => square > 0)
  const [least, most] = seen.reduce(
    ([low, high], square) => [Math.min(low, square), Math.max(high, square)],
    [Infinity, 0],
  )
  // How many tokens there were does not matter: it is in the middle as well.
  const middle = Math.sqrt(least) * Math.sqrt(most)
  return squares.map((square) => (square > 0 ? (square / middle) ** (exponent / 2) : 1))
}

/** Q(W · s) / s, rounded to nearest. */
const roundScaled = (
  { shape, data }: HostArray.HostArray,
  scales: Float32Array,
  scheme: Scheme,
  range: RangeSearch,
): HostArray.HostArray => {
  const [outputs, inputs] = shape
  const scaled = Float32Array.from(data, (value, i) => value * scales[i % inputs])
  const grid = gridOf(scaled, inputs, scheme, range)
  const rounded = floatsOf(dequantize(quantizeOnGrid(scaled, [outputs, inputs], scheme, grid)))
  return HostArray.make(
    shape,
    rounded.map((value, i) => value / scales[i % inputs]),
  )
}

/** The scales that lose least of what the linears compute, each beside its own outputs. */
const searchScales = Effect.fnUntraced(function* (
  { weights, inputs, programs }: ScaleProblem,
  scheme: Scheme,
  steps: number,
  range: RangeSearch,
) {
  const hessian = yield* inputs.onDevice
  let best: { readonly scales: Float32Array | undefined; readonly loss: number } | undefined
  for (let step = 0; step <= steps; step++) {
    const scales = awqScales(inputs.squares, step / steps)
    let loss = 0
    for (const weight of weights) {
      const rounded = roundScaled(weight, scales, scheme, range)
      loss += yield* layerError(programs, rounded, weight, hessian)
    }
    if (best === undefined || loss < best.loss) {
      best = { scales: step === 0 ? undefined : scales, loss }
    }
    yield* Effect.yieldNow
  }
  return best?.scales
})

/**
 * Multiplies the weights of inputs that are large, and divides those inputs by as much in what comes
 * before them (a norm's gain, or the rows of another linear); then rounds. The exponent of the inputs'
 * size is searched for each group of linears that share inputs, by what rounding to nearest loses of
 * their outputs; 0 scales nothing. Where nothing can take the scales up, the linear is rounded as it is.
 *
 * Source: Lin et al. 2024, "AWQ: Activation-aware weight quantization", section 3.2; with the root mean
 * square for the mean size.
 */
export const awq = ({ steps = 20, range = "min-max", ...options }: AwqOptions = {}): Quantizer => {
  const { check, quantize } = options.quantizer ?? rtn({ range })
  return {
    name: "awq",
    statistic: hessianOfInputs,
    ...(check === undefined ? {} : { check }),
    scaleInputs: (scheme) => (problem) => searchScales(problem, scheme, steps, range),
    quantize,
  }
}
