import type { DeviceArray as Arrays, HostArray as Hosts } from "@espalier/tensor"
import { DeviceArray, Program, Spec, Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import type { Programs } from "./programs.ts"

type T = Tensor.Tensor

/** Options of {@link maskedLeastSquares}. */
export interface MaskedLeastSquaresOptions {
  /** Conjugate gradient steps between two looks at the true residual; 40. */
  readonly steps?: number
  /** How often the residual is computed anew, which `f32` needs; 3. */
  readonly rounds?: number
}

const rowSum = (x: T): T => Tensor.sum(x, [1], { keepDims: true })

/** a / b where b is positive, else 0: a row that is solved stands still. */
const ratio = (a: T, b: T): T =>
  Tensor.where(Tensor.greater(b, 0), Tensor.div(a, Tensor.where(Tensor.greater(b, 0), b, 1)), 0)

/** One round of conjugate gradients for all rows at once, preconditioned by the diagonal of H. */
const makeRound = (outputs: number, inputs: number, steps: number) =>
  Program.make(
    "masked least squares",
    {
      weight: Spec.f32([outputs, inputs]),
      mask: Spec.f32([outputs, inputs]),
      target: Spec.f32([outputs, inputs]),
      hessian: Spec.f32([inputs, inputs]),
    },
    ({ weight, mask, target, hessian }) => {
      const onDiagonal = Tensor.equal(
        Tensor.iota([inputs, inputs], 0),
        Tensor.iota([inputs, inputs], 1),
      )
      const diagonal = Tensor.sum(Tensor.where(onDiagonal, hessian, 0), [0])
      const scale = ratio(Tensor.full([inputs], 1), diagonal)
      const residual = Tensor.mul(mask, Tensor.matmul(Tensor.sub(target, weight), hessian))
      const direction = Tensor.mul(residual, scale)
      const { carry } = Program.scan(
        ({ weight, residual, direction, product }) => {
          const slope = Tensor.matmul(direction, hessian)
          const length = ratio(product, rowSum(Tensor.mul(direction, slope)))
          const left = Tensor.sub(residual, Tensor.mul(length, Tensor.mul(mask, slope)))
          const scaled = Tensor.mul(left, scale)
          const next = rowSum(Tensor.mul(left, scaled))
          return {
            carry: {
              weight: Tensor.add(weight, Tensor.mul(length, direction)),
              residual: left,
              direction: Tensor.add(scaled, Tensor.mul(ratio(next, product), direction)),
              product: next,
            },
            y: [],
          }
        },
        {
          carry: { weight, residual, direction, product: rowSum(Tensor.mul(residual, direction)) },
          length: steps,
        },
      )
      return { weight: carry.weight }
    },
  )

/**
 * The weights with the zeros of `start` that come nearest to what `target` computes: for each row the
 * smallest (w − w₀)ᵀ H (w − w₀) over the weights that are not 0 in `start`. All are [outputs, inputs].
 * Conjugate gradients from `start` on: every step lowers the error, and as many steps as a row has
 * weights reach its minimum.
 *
 * Source: Hestenes & Stiefel 1952; as the last step of pruning, Meng et al. 2024, "ALPS", algorithm 2.
 */
export const maskedLeastSquares = Effect.fn("maskedLeastSquares")(function* (
  programs: Programs,
  start: Hosts.HostArray,
  target: Hosts.HostArray,
  hessian: Arrays.DeviceArray,
  options: MaskedLeastSquaresOptions = {},
) {
  const { steps = 40, rounds = 3 } = options
  const [outputs, inputs] = start.shape as readonly [number, number]
  const key = `masked least squares ${outputs}x${inputs} ${steps}`
  const run = yield* programs.get(key, () => makeRound(outputs, inputs, steps))
  const mask = yield* DeviceArray.fromHost({
    ...start,
    data: Float32Array.from(start.data, (value) => (value === 0 ? 0 : 1)),
  })
  const loaded = yield* DeviceArray.fromHost(target)
  let weight = yield* DeviceArray.fromHost(start)
  for (let round = 0; round < rounds; round++) {
    const given = { weight, mask, target: loaded, hessian }
    weight = (yield* run(given, { donate: ["weight"] })).weight
    yield* Effect.yieldNow
  }
  return yield* DeviceArray.toHost(weight)
}, Effect.scoped)
