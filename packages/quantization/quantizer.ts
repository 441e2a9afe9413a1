import type { LinearProblem, MethodError, ScaleInputs, Statistic } from "@espalier/calibration"
import type { NamedLinear } from "@espalier/models"
import type { Device } from "@espalier/tensor"
import type { Effect, Scope } from "effect"
import type { ScaleUnderflow } from "./grid.ts"
import type { QuantizedWeight } from "./quantized_weight.ts"
import type { GroupWidthMismatch, Scheme } from "./scheme.ts"

/** One linear that is to be quantised. */
export interface LayerProblem extends LinearProblem {
  readonly scheme: Scheme
}

/** What can go wrong in any method. */
export type QuantizeError = MethodError | ScaleUnderflow

/** A quantisation method. Make one, and give it to `quantize` or `quantizeStore`. */
export interface Quantizer {
  /** As in messages, progress and reports: `gptq`. */
  readonly name: string
  /** What it needs to know about the inputs of a linear. */
  readonly statistic: Statistic
  /** Needs of a Hessian its factor for one damping and nothing else, so that it may be written over. */
  readonly factorOnly?: boolean
  /** The problem with a linear, if there is one: asked of all linears before anything runs. */
  readonly check?: (linear: NamedLinear, scheme: Scheme) => GroupWidthMismatch | undefined
  /** First scales inputs for a scheme, where something before them in the block can take it up. */
  readonly scaleInputs?: (scheme: Scheme) => ScaleInputs
  readonly quantize: (
    problem: LayerProblem,
  ) => Effect.Effect<QuantizedWeight, QuantizeError, Device | Scope.Scope>
}
