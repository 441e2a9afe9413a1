import type { MaskedLeastSquaresOptions } from "@espalier/calibration"
import {
  dampedHessian,
  hessianOfInputs,
  layerError,
  maskedLeastSquares,
  withDamping,
} from "@espalier/calibration"
import type { HostArray as Hosts, Matrix } from "@espalier/tensor"
import {
  DeviceArray,
  HostArray,
  LinearAlgebra,
  Program,
  Scalar,
  Spec,
  Tensor,
} from "@espalier/tensor"
import { Effect } from "effect"
import { removedCount } from "./masks.ts"
import type { LayerProblem, Pruner } from "./pruner.ts"
import { smallestOfAll, smallestOfGroups } from "./selection.ts"
import type { Sparsity } from "./sparsity.ts"
import { printSparsity } from "./sparsity.ts"

type T = Tensor.Tensor

/** Options of {@link admm}. */
export interface AdmmOptions {
  /** Gives the sparse weights to begin with; without it the dense ones do. */
  readonly start?: Pruner
  /** Added to the Hessian's diagonal, as a share of its mean; 0.01. */
  readonly damping?: number
  /** ρ at first, beside a Hessian whose diagonal is 1; 0.1. */
  readonly penalty?: number
  /** Iterations of a round, after which ρ grows; 3. */
  readonly iterations?: number
  /** Rounds at most; 100. The last one is that in which no zero moved. */
  readonly rounds?: number
  /** Of the weights that stay, in the end. */
  readonly adjustment?: MaskedLeastSquaresOptions
}

/** How many weights of so many go. */
const removedOf = (size: number, sparsity: Sparsity): number =>
  sparsity.kind === "structured"
    ? (size / sparsity.of) * (sparsity.of - sparsity.keep)
    : removedCount(size, sparsity.fraction)

/** The nearest weights that are sparse enough: unstructured, over the whole matrix. */
const project = (weight: T, sparsity: Sparsity): T => {
  const scores = Tensor.abs(weight)
  const removed =
    sparsity.kind === "structured"
      ? smallestOfGroups(scores, sparsity.keep, sparsity.of)
      : smallestOfAll(scores, removedOf(weight.shape[0] * weight.shape[1], sparsity))
  return Tensor.where(removed, 0, weight)
}

const supportOf = (weight: T): T => Tensor.cast(Tensor.notEqual(weight, 0), "i32")

/** W, D and V of some iterations with one ρ, and how many places of D became zeros or ceased to be. */
const makeRound = (outputs: number, inputs: number, sparsity: Sparsity, iterations: number) =>
  Program.make(
    "admm",
    {
      dense: Spec.f32([outputs, inputs]),
      sparse: Spec.f32([outputs, inputs]),
      dual: Spec.f32([outputs, inputs]),
      inverse: Spec.f32([inputs, inputs]),
      penalty: Scalar,
    },
    ({ dense, sparse, dual, inverse, penalty }) => {
      const { carry } = Program.scan(
        ({ sparse, dual }) => {
          // W = (W₀H − V + ρD)(H + ρI)⁻¹, where W₀H is W₀(H + ρI) − ρW₀: W₀ itself loses no digit.
          const pull = Tensor.sub(Tensor.mul(Tensor.sub(sparse, dense), penalty), dual)
          const weight = Tensor.add(dense, Tensor.matmul(pull, inverse))
          const next = project(Tensor.add(weight, Tensor.div(dual, penalty)), sparsity)
          const gap = Tensor.mul(Tensor.sub(weight, next), penalty)
          return { carry: { sparse: next, dual: Tensor.add(dual, gap) }, y: [] }
        },
        { carry: { sparse, dual }, length: iterations },
      )
      const moved = Tensor.abs(Tensor.sub(supportOf(carry.sparse), supportOf(sparse)))
      return { ...carry, moved: Tensor.sum(moved, [0, 1]) }
    },
  )

/** How much ρ grows after a round in which so many zeros moved. */
const growthOf = (moved: number, kept: number): number => {
  if (moved >= 0.1 * kept) return 1.3
  return moved >= 0.005 * kept ? 1.2 : 1.1
}

/** √H_jj: inputs divided by it make a Hessian with a diagonal of 1. */
const scaleOf = ({ rows, data }: Matrix.Matrix): Float64Array =>
  Float64Array.from({ length: rows }, (_, j) => Math.sqrt(data[j * rows + j]))

/** (H + ρI)⁻¹ for the damped Hessian of the scaled inputs. */
const invert = (
  { linear, inputs }: LayerProblem,
  damping: number,
  scale: ArrayLike<number>,
  penalty: number,
) =>
  withDamping(inputs.hessian, linear.path, damping, (damped) => {
    const { rows, data } = damped
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < rows; j++) data[i * rows + j] /= scale[i] * scale[j]
      data[i * rows + i] += penalty
    }
    return LinearAlgebra.inversePositiveDefinite(damped, linear.path, { consume: true })
  })

/** Each column times its factor. */
const scaled = ({ shape, data }: Hosts.HostArray, factors: ArrayLike<number>): Hosts.HostArray => {
  const inputs = shape[1]
  return HostArray.make(
    shape,
    Float32Array.from(data, (value, i) => value * factors[i % inputs]),
  )
}

/** The D that ADMM ends with. Weights of inputs that no token reached become 0. */
const alternate = Effect.fnUntraced(function* (
  problem: LayerProblem,
  start: Hosts.HostArray,
  options: AdmmOptions,
) {
  const { linear, weight, sparsity, inputs, programs } = problem
  const { damping = 0.01, iterations = 3, rounds = 100 } = options
  const [outputs, width] = linear.shape
  const scale = scaleOf(dampedHessian(inputs.hessian, damping))
  const toScaled = scale.map((value, j) => (inputs.squares[j] === 0 ? 0 : value))
  const key = `admm ${outputs}x${width} ${printSparsity(sparsity)} ${iterations}`
  const run = yield* programs.get(key, () => makeRound(outputs, width, sparsity, iterations))
  const dense = yield* DeviceArray.fromHost(scaled(weight, toScaled))
  let sparse = yield* DeviceArray.fromHost(scaled(start, toScaled))
  let dual = yield* DeviceArray.fromHost(HostArray.zeros([outputs, width]))
  let penalty = options.penalty ?? 0.1
  const kept = weight.data.length - removedOf(weight.data.length, sparsity)
  for (let round = 0; round < rounds; round++) {
    const { data } = yield* invert(problem, damping, scale, penalty)
    const inverse = HostArray.make([width, width], Float32Array.from(data))
    const given = { dense, sparse, dual, inverse, penalty }
    const made = yield* run(given, { donate: ["sparse", "dual"] })
    ;({ sparse, dual } = made)
    const [moved] = yield* DeviceArray.toArray(made.moved)
    DeviceArray.release(made.moved)
    if (moved === 0) break
    penalty *= growthOf(moved, kept)
    yield* Effect.yieldNow
  }
  const found = yield* DeviceArray.toHost(sparse)
  return scaled(
    found,
    scale.map((value) => 1 / value),
  )
}, Effect.scoped)

/**
 * Looks for the zeros and the weights together: min ‖(W₀ − W) X‖² where W equals a sparse D, by the
 * alternating direction method of multipliers on inputs scaled to a mean square of 1, and then refits
 * the weights that stay. The penalty ρ for W ≠ D grows until no zero moves any more.
 *
 * With `start`, a layer ends with the start's own zeros, refitted, where those lose less.
 *
 * Source: Meng et al. 2024, "ALPS: Improved optimization for highly sparse one-shot pruning for large
 * language models", algorithms 1 and 2, whose numbers are the defaults.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 * import { admm, parseSparsity, prune, sparseGpt } from "@espalier/pruning"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const { sparsity } = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   const windows = [Int32Array.of(1, 5, 3, 9), Int32Array.of(2, 2, 7, 4)]
 *   const method = admm({ start: sparseGpt() })
 *   return yield* prune(model, method, { sparsity: parseSparsity("2:4"), windows })
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runPromise)
 * console.log(sparsity >= 0.5) // true
 * ```
 */
export const admm = (options: AdmmOptions = {}): Pruner => ({
  name: options.start === undefined ? "admm" : `admm of ${options.start.name}`,
  statistic: hessianOfInputs,
  prune: Effect.fnUntraced(function* (problem) {
    const { weight, sparsity, inputs, programs } = problem
    if (removedOf(weight.data.length, sparsity) === 0) return weight
    const onDevice = yield* inputs.onDevice
    const refit = (sparse: Hosts.HostArray) =>
      maskedLeastSquares(programs, sparse, weight, onDevice, options.adjustment)
    const errorOf = (found: Hosts.HostArray) => layerError(programs, found, weight, onDevice)
    const start = options.start === undefined ? undefined : yield* options.start.prune(problem)
    const found = yield* refit(yield* alternate(problem, start ?? weight, options))
    if (start === undefined) return found
    const control = yield* refit(start)
    return (yield* errorOf(found)) <= (yield* errorOf(control)) ? found : control
  }),
})
