import type { BlockBatch, BlockParameters } from "@espalier/calibration"
import type { Block } from "@espalier/models"
import { makeTrainStep, Optimizers, Schedules } from "@espalier/nn"
import { Progress } from "@espalier/runtime"
import { DeviceArray, HostArray, Program, Spec, Tensor, Tree } from "@espalier/tensor"
import { Effect } from "effect"
import { removedCount } from "./masks.ts"
import type { BlockProblem, Pruner } from "./pruner.ts"
import { smallestOfAll, smallestOfGroups } from "./selection.ts"
import type { Sparsity } from "./sparsity.ts"
import { printSparsity } from "./sparsity.ts"

type T = Tensor.Tensor
type Tensors = Readonly<Record<string, T>>

/** Options of {@link blockReconstruction}. */
export interface BlockReconstructionOptions {
  /** Prunes the linears of the block first. */
  readonly start: Pruner
  /** How often all calibration windows go through the block; 40. */
  readonly epochs?: number
  /** Of Adam, falling to 0 along a cosine; 0.003. */
  readonly learningRate?: number
  /**
   * `fixed`: the zeros of the start stay. `learned`: every weight has a score that moves against the
   * gradient of its presence, and those with the highest scores stay (movement pruning, Sanh et al.
   * 2020, with a straight-through gradient). Default: `fixed`.
   */
  readonly mask?: "fixed" | "learned"
  /** How much faster than weights scores move; 3. */
  readonly scoreRate?: number
  /** Also trains what is no linear of the block: gains and biases; false. */
  readonly trainNorms?: boolean
}

/** What is trained. */
interface Trained {
  readonly weights: BlockParameters
  /** For each linear, where the mask is learned. */
  readonly scores: BlockParameters
}

interface Batch {
  readonly hidden: HostArray.HostArray
  readonly target: HostArray.HostArray
  /** Parameters of the block that are not trained. */
  readonly fixed: BlockParameters
  /** 1 where a weight stays, where the mask is fixed. */
  readonly masks: BlockParameters
}

/** Added to scores, which the choice of the smallest wants positive. */
const aboveZero = 100

const keptOf = (scores: T, sparsity: Sparsity): T => {
  const [rows, columns] = scores.shape
  const removed =
    sparsity.kind === "structured"
      ? smallestOfGroups(scores, sparsity.keep, sparsity.of)
      : smallestOfAll(
          Tensor.maximum(Tensor.add(scores, aboveZero), 0),
          removedCount(rows * columns, sparsity.fraction),
        )
  return Tensor.where(removed, 0, 1)
}

/** A mask by the highest scores, whose gradient is that of the scores themselves. */
const straightThrough = (scores: T, sparsity: Sparsity): T =>
  Tensor.add(
    Tensor.stopGradient(keptOf(scores, sparsity)),
    Tensor.sub(scores, Tensor.stopGradient(scores)),
  )

const mapData = (
  { shape, data }: HostArray.HostArray,
  f: (value: number, i: number) => number,
): HostArray.HostArray => HostArray.make(shape, Float32Array.from(data, f))

const mapAll = (
  tree: BlockParameters,
  f: (value: HostArray.HostArray, name: string) => HostArray.HostArray,
): BlockParameters =>
  Object.fromEntries(Object.entries(tree).map(([name, value]) => [name, f(value, name)]))

/** Adam on the mean squared error of the block's output, through the masks. */
const makeStep = (
  block: Block,
  parameters: Trained,
  batch: Batch,
  sparsityOf: (name: string) => Sparsity,
  scoreRate: number,
) =>
  makeTrainStep({
    name: "block reconstruction",
    parameters,
    batch: () => batch,
    loss: ({ weights, scores }, { hidden, target, fixed, masks }) => {
      const all = { ...(fixed as Tensors), ...(weights as Tensors) }
      for (const [name, mask] of Object.entries(masks as Tensors)) {
        all[name] = Tensor.mul(all[name], mask)
      }
      for (const [name, score] of Object.entries(scores as Tensors)) {
        const scaled = Tensor.mul(score, scoreRate)
        all[name] = Tensor.mul(all[name], straightThrough(scaled, sparsityOf(name)))
      }
      const output = block.forward(all, hidden)
      return Tensor.mean(Tensor.square(Tensor.sub(output, target)))
    },
    optimizer: Optimizers.adamW(),
    learningRate: Schedules.constantRate(1),
  })

/** Batches as large as the first: one program serves them all, and a smaller rest is left out. */
const whole = (batches: ReadonlyArray<BlockBatch>) =>
  batches.filter(({ hidden }) => hidden.shape[0] === batches[0].hidden.shape[0])

const refine = Effect.fnUntraced(function* (
  problem: BlockProblem,
  options: BlockReconstructionOptions,
) {
  const { block, dense, pruned, batches, programs, sparsityOf } = problem
  const { epochs = 40, learningRate = 0.003, mask = "fixed", scoreRate = 3 } = options
  const learned = mask === "learned"
  const linear = (name: string) => block.linears.find((each) => each.name === name)!
  const sparsity = (name: string) => sparsityOf(linear(name))
  const others = Object.fromEntries(
    Object.entries(dense).filter(([name]) => pruned[name] === undefined),
  )
  const kept = mapAll(pruned, (weight) => mapData(weight, (value) => (value === 0 ? 0 : 1)))
  const weights = learned
    ? mapAll(pruned, (weight, name) =>
        mapData(weight, (value, i) => (value === 0 ? dense[name].data[i] : value)),
      )
    : pruned
  const parameters: Trained = {
    weights: options.trainNorms === true ? { ...weights, ...others } : weights,
    scores: learned ? mapAll(kept, (each) => mapData(each, (value) => value / scoreRate)) : {},
  }
  const constants = {
    fixed: options.trainNorms === true ? {} : others,
    masks: learned ? {} : kept,
  }
  const used = whole(batches)
  const empty = HostArray.zeros(used[0].hidden.shape)
  const example = { hidden: empty, target: empty, ...constants }
  const sparsities = block.linears.map(({ name }) => printSparsity(sparsity(name))).join(" ")
  const how = `${mask} ${scoreRate} ${options.trainNorms === true}`
  const key = `block reconstruction ${block.signature} ${empty.shape.join("x")} ${sparsities} ${how}`
  const run = yield* programs.get(key, () =>
    makeStep(block, parameters, example, sparsity, scoreRate),
  )
  const optimizer = Optimizers.adamW()
  const steps = epochs * used.length
  const rate = Schedules.warmupCosine({ peak: learningRate, warmup: 0, steps })
  const loaded = yield* DeviceArray.fromHostTree(constants)
  const zero = Tree.map(parameters, ({ shape }: HostArray.HostArray) => HostArray.zeros(shape))
  let state = yield* DeviceArray.fromHostTree({
    parameters,
    slots: { first: zero, second: zero },
  })
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const [i, { hidden, target }] of used.entries()) {
      const step = epoch * used.length + i + 1
      const batch = { hidden, target: target!, ...loaded }
      const hyperparameters = optimizer.hyperparameters(step, rate(step))
      const given = { state, batch, hyperparameters }
      const made = yield* run(given, { donate: ["state"] })
      state = made.state as typeof state
      DeviceArray.release([made.loss, made.norm])
    }
    const task = `block ${block.index}`
    yield* Progress.report({ task, completed: epoch + 1, total: epochs, unit: "epochs" })
    yield* Effect.yieldNow
  }
  const found = yield* DeviceArray.toHostTree(state.parameters)
  if (!learned) return found.weights
  const result: Record<string, HostArray.HostArray> = { ...found.weights }
  for (const [name, scores] of Object.entries(found.scores)) {
    const { shape } = scores
    const text = printSparsity(sparsity(name))
    const choose = yield* programs.get(`kept ${shape.join("x")} ${text}`, () =>
      Program.make("kept", { weight: Spec.f32(shape), scores: Spec.f32(shape) }, (given) =>
        Tensor.mul(given.weight, keptOf(Tensor.mul(given.scores, scoreRate), sparsity(name))),
      ),
    )
    result[name] = yield* DeviceArray.toHost(yield* choose({ weight: result[name], scores }))
  }
  return result
}, Effect.scoped)

/**
 * Prunes a block, then trains what is left of it by gradient until it gives the outputs that the dense
 * model has at this place, on the inputs that the pruned blocks before it give.
 */
export const blockReconstruction = (options: BlockReconstructionOptions): Pruner => ({
  name: `block of ${options.start.name}`,
  statistic: options.start.statistic,
  prune: options.start.prune,
  refine: (problem) => refine(problem, options),
})
