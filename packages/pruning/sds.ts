import type { MaskedLeastSquaresOptions, Programs } from "@espalier/calibration"
import {
  hessianOfInputs,
  layerError,
  maskedLeastSquares,
  meanDiagonal,
} from "@espalier/calibration"
import type { DeviceArray as Arrays, HostArray as Hosts } from "@espalier/tensor"
import { DeviceArray, Program, Scalar, Spec, Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import { magnitude } from "./magnitude.ts"
import { applyMask, magnitudeMask } from "./masks.ts"
import type { LayerProblem, Pruner } from "./pruner.ts"
import type { Sparsity } from "./sparsity.ts"
import { printSparsity } from "./sparsity.ts"

type T = Tensor.Tensor

/** How pruned connections come back in SDS's dense step. Only the ratio 0.1 of the penalties is published. */
export interface DenseStepOptions {
  /** Adam steps; 200, as published. */
  readonly steps?: number
  /** 0.01. The paper has 0.1, and does not say for which optimiser and which scale of the loss. */
  readonly learningRate?: number
  /** λ₁ of λ₁‖W‖₁, beside a loss whose Hessian has a mean diagonal of 1; 0.01. */
  readonly absolutePenalty?: number
  /** λ₂ of λ₂‖W‖₂²; ten times λ₁. */
  readonly squaredPenalty?: number
}

/** Options of {@link sds}. */
export interface SdsOptions extends DenseStepOptions {
  /** The one-shot pruner of both sparse steps. */
  readonly start: Pruner
  /** Which weights the second sparse step removes: by the one-shot pruner, or the smallest; `pruner`. */
  readonly secondMask?: "pruner" | "magnitude"
  /**
   * How the weights that stay are refitted: the options of masked least squares, or `soft mask`, which
   * is as published: as many steps and of the same rate as in the dense step; masked least squares.
   */
  readonly adjustment?: MaskedLeastSquaresOptions | "soft mask"
  /** Keeps the first sparse step's zeros where they end with the smaller layer error; false. */
  readonly keepBest?: boolean
}

const [firstDecay, secondDecay, epsilon] = [0.9, 0.999, 1e-8]

/** Adam (Kingma & Ba 2015, algorithm 1) from `start` on. */
const descend = (start: T, gradientAt: (weight: T) => T, rate: T, steps: number): T => {
  const zero = Tensor.zeros(start.shape)
  const one = Tensor.scalar(1)
  const { carry } = Program.scan(
    ({ weight, first, second, powers }) => {
      const gradient = gradientAt(weight)
      const decayed = {
        first: Tensor.mul(powers.first, firstDecay),
        second: Tensor.mul(powers.second, secondDecay),
      }
      const mean = Tensor.add(Tensor.mul(first, firstDecay), Tensor.mul(gradient, 1 - firstDecay))
      const square = Tensor.add(
        Tensor.mul(second, secondDecay),
        Tensor.mul(Tensor.square(gradient), 1 - secondDecay),
      )
      const root = Tensor.sqrt(Tensor.div(square, Tensor.sub(1, decayed.second)))
      const direction = Tensor.div(
        Tensor.div(mean, Tensor.sub(1, decayed.first)),
        Tensor.add(root, epsilon),
      )
      const next: T = Tensor.sub(weight, Tensor.mul(direction, rate))
      return { carry: { weight: next, first: mean, second: square, powers: decayed }, y: [] }
    },
    {
      carry: { weight: start, first: zero, second: zero, powers: { first: one, second: one } },
      length: steps,
    },
  )
  return carry.weight
}

/** What both loops read. `scale` divides the Hessian. */
const specsOf = (outputs: number, inputs: number) => ({
  start: Spec.f32([outputs, inputs]),
  target: Spec.f32([outputs, inputs]),
  hessian: Spec.f32([inputs, inputs]),
  scale: Scalar,
  learningRate: Scalar,
})

/** The gradient of ‖(W − W₀) X‖² / scale. */
const slope = (weight: T, target: T, hessian: T, scale: T): T =>
  Tensor.mul(Tensor.matmul(Tensor.sub(weight, target), hessian), Tensor.div(2, scale))

/**
 * W_d = argmin ‖(W_d − W) X‖² + λ₁‖W_d‖₁ + λ₂‖W_d‖₂² by Adam from the sparse weights on, no mask.
 */
const makeDenseStep = (outputs: number, inputs: number, steps: number) =>
  Program.make(
    "dense step",
    { ...specsOf(outputs, inputs), absolutePenalty: Scalar, squaredPenalty: Scalar },
    ({ start, target, hessian, scale, learningRate, absolutePenalty, squaredPenalty }) => {
      const gradientAt = (weight: T) =>
        Tensor.add(
          slope(weight, target, hessian, scale),
          Tensor.add(
            Tensor.mul(Tensor.sign(weight), absolutePenalty),
            Tensor.mul(Tensor.mul(weight, squaredPenalty), 2),
          ),
        )
      return descend(start, gradientAt, learningRate, steps)
    },
  )

/**
 * W = M_soft ⊙ argmin ‖W X − W₀ X‖², where M_soft is chosen from |W| anew in each step and the gradient
 * goes straight through it.
 */
const makeSoftMask = (outputs: number, inputs: number, steps: number, sparsity: Sparsity) =>
  Program.make(
    "soft mask",
    specsOf(outputs, inputs),
    ({ start, target, hessian, scale, learningRate }) => {
      const masked = (weight: T) => applyMask(weight, magnitudeMask(weight, sparsity))
      const gradientAt = (weight: T) => slope(masked(weight), target, hessian, scale)
      return masked(descend(start, gradientAt, learningRate, steps))
    },
  )

/** What the layer's Hessian is divided by; 1 where calibration never reached the layer. */
const scaleOf = (meanDiagonal: number): number => (meanDiagonal > 0 ? meanDiagonal : 1)

/** SDS's dense step: what was pruned may come back. All weights are [outputs, inputs]. */
export const denseStep = Effect.fn("denseStep")(function* (
  programs: Programs,
  start: Hosts.HostArray,
  target: Hosts.HostArray,
  hessian: { readonly onDevice: Arrays.DeviceArray; readonly meanDiagonal: number },
  options: DenseStepOptions = {},
) {
  const { steps = 200, learningRate = 0.01, absolutePenalty = 0.01 } = options
  const { squaredPenalty = 10 * absolutePenalty } = options
  const [outputs, inputs] = start.shape as readonly [number, number]
  const key = `dense step ${outputs}x${inputs} ${steps}`
  const run = yield* programs.get(key, () => makeDenseStep(outputs, inputs, steps))
  const found = yield* run({
    start,
    target,
    hessian: hessian.onDevice,
    scale: scaleOf(hessian.meanDiagonal),
    learningRate,
    absolutePenalty,
    squaredPenalty,
  })
  return yield* DeviceArray.toHost(found)
}, Effect.scoped)

/** Refits as published, where weights and zeros may still change places. */
const adjustSoftly = Effect.fnUntraced(function* (
  { weight, sparsity, inputs, programs }: LayerProblem,
  start: Hosts.HostArray,
  { steps = 200, learningRate = 0.01 }: DenseStepOptions,
) {
  const [outputs, width] = weight.shape as readonly [number, number]
  const key = `soft mask ${outputs}x${width} ${steps} ${printSparsity(sparsity)}`
  const run = yield* programs.get(key, () => makeSoftMask(outputs, width, steps, sparsity))
  const hessian = yield* inputs.onDevice
  const scale = scaleOf(meanDiagonal(inputs.hessian))
  const found = yield* run({ start, target: weight, hessian, scale, learningRate })
  return yield* DeviceArray.toHost(found)
}, Effect.scoped)

/**
 * Sparse–dense–sparse: prunes once, lets pruned connections come back under a penalty that favours
 * small weights, prunes what that gave, and refits what is left to the dense layer.
 *
 * Source: SDS, COLING 2025. What the paper leaves open is an option here; see `paper.md`.
 */
export const sds = (options: SdsOptions): Pruner => {
  const { start, adjustment = {}, keepBest = false, secondMask = "pruner", ...dense } = options
  return {
    name: `sds of ${start.name}`,
    statistic: hessianOfInputs,
    prune: Effect.fnUntraced(function* (problem) {
      const { weight, inputs, programs } = problem
      const onDevice = yield* inputs.onDevice
      const solver = adjustment === "soft mask" ? {} : adjustment
      const refit = (pruned: Hosts.HostArray) =>
        maskedLeastSquares(programs, pruned, weight, onDevice, solver)
      const sparse = yield* start.prune(problem)
      const hessian = { onDevice, meanDiagonal: meanDiagonal(inputs.hessian) }
      const reawakened = yield* denseStep(programs, sparse, weight, hessian, dense)
      const second = secondMask === "pruner" ? start : magnitude()
      const again = yield* second.prune({ ...problem, weight: reawakened })
      const adjusted =
        adjustment === "soft mask"
          ? yield* adjustSoftly(problem, again, dense)
          : yield* refit(again)
      if (!keepBest) return adjusted
      const control = yield* refit(sparse)
      const errorOf = (found: Hosts.HostArray) => layerError(programs, found, weight, onDevice)
      return (yield* errorOf(adjusted)) <= (yield* errorOf(control)) ? adjusted : control
    }),
  }
}
