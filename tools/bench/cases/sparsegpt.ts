import {
  fullHessian,
  hessianOfInputs,
  inverseFactor,
  makeGatherer,
  makePrograms,
  readHessian,
  sweepColumns,
} from "@espalier/calibration"
import type { Sparsity } from "@espalier/pruning"
import { Naive, parseSparsity, sparseGptRule } from "@espalier/pruning"
import { DeviceArray, HostArray } from "@espalier/tensor"
import { Effect } from "effect"
import type { Case, OwnSubject } from "../case.ts"
import type { Formula } from "../inputs.ts"
import { uniform } from "../inputs.ts"
import { checkPruned, hessianOf, hessianTimes } from "../layer_checks.ts"
import { recorded } from "../recorded.ts"

/** One linear, [outputs, inputs], and the windows of calibration text that run at once. */
interface Sizes {
  readonly outputs: number
  readonly inputs: number
  readonly windows: number
  readonly window: number
  readonly batches: number
  /** Tokens of the Hessian that is solved with: half as many again as inputs, so that it is far from diagonal. */
  readonly solved: number
}

const sizesOf = (quick: boolean): Sizes =>
  quick
    ? { outputs: 64, inputs: 256, windows: 2, window: 16, batches: 3, solved: 384 }
    : { outputs: 2048, inputs: 2048, windows: 8, window: 512, batches: 16, solved: 3072 }

/** Hessians from activations on the device, as the walk over the blocks gathers them. */
const gatherer = Effect.fnUntraced(function* (
  shape: readonly [batch: number, length: number, inputs: number],
) {
  const { zeros, add } = yield* makeGatherer(hessianOfInputs, shape)
  return Effect.fnUntraced(function* (x: DeviceArray.DeviceArray, times: number) {
    let sums = yield* zeros
    for (let i = 0; i < times; i++) sums = yield* add(sums, x)
    return yield* readHessian(shape[2], sums)
  })
})

const hessianCase = (quick: boolean): Case => {
  const { inputs, windows, window, batches } = sizesOf(quick)
  const x: Formula = { shape: [windows * window, inputs], seed: 11 }
  const probe: Formula = { shape: [inputs], seed: 12 }
  const tokens = batches * windows * window
  return {
    name: "sparsegpt-hessian",
    title: `the Hessian of ${inputs} inputs over ${tokens} tokens, ${windows} windows of ${window} at once, from activations in place to the host`,
    // By symmetry half of the products are enough.
    work: { amount: (tokens * inputs * inputs) / 1e9, unit: "GFLOP" },
    tolerance: 1e-5,
    // A matrix that is wrong anywhere gives another product with a vector that nobody chose.
    reference: () => {
      const once = hessianTimes(uniform(x), uniform(probe))
      return once.map((value) => batches * value)
    },
    implementations: {
      ours: Effect.gen(function* () {
        const gather = yield* gatherer([windows, window, inputs])
        const array = HostArray.make([windows, window, inputs], uniform(x))
        const given = yield* DeviceArray.fromHost(array)
        const once = gather(given, batches)
        return {
          once: Effect.asVoid(once),
          values: Effect.map(once, (hessian) => {
            const data = fullHessian(hessian)
            const vector = uniform(probe)
            return Float64Array.from(vector, (_, i) =>
              vector.reduce((sum, value, j) => sum + value * data[i * inputs + j], 0),
            )
          }),
        } satisfies OwnSubject
      }),
      torch: { kind: "sparsegpt-hessian", x, probe, sequences: batches },
    },
    targets: [{ kind: "relativeTime", than: "torch", atMost: 1.5 }],
  }
}

/** The weights, and the activations that the Hessian is made of. */
export const problemOf = (quick: boolean) => {
  const { outputs, inputs, solved } = sizesOf(quick)
  const weights: Formula = { shape: [outputs, inputs], seed: 13 }
  const x: Formula = { shape: [solved, inputs], seed: 14 }
  return { weights, x }
}

/** What {@link checkPruned} says of the plain solver's result in `f64`, which takes it minutes. */
export const solveReference = (quick: boolean, sparsity: Sparsity): ReadonlyArray<number> => {
  const { weights, x } = problemOf(quick)
  const [outputs, inputs] = weights.shape
  const rowsOf = (data: ArrayLike<number>, rows: number) =>
    Array.from({ length: rows }, (_, i) =>
      Array.from({ length: inputs }, (__, j) => data[i * inputs + j]),
    )
  const dense = uniform(weights)
  const activations = uniform(x)
  const hessian = rowsOf(hessianOf(activations, inputs), inputs)
  const pruned = Naive.sparseGpt(rowsOf(dense, outputs), hessian, sparsity)
  return checkPruned(pruned.flat(), dense, activations, inputs)
}

const solveCase = (quick: boolean, name: string, sparsity: Sparsity): Case => {
  const { weights, x } = problemOf(quick)
  const [outputs, inputs] = weights.shape
  const how = sparsity.kind === "structured" ? "2:4" : "50 %"
  return {
    name,
    title: `SparseGPT ${how} of a ${outputs}×${inputs} layer, from its Hessian to the pruned weights`,
    // Ties fall differently in f32 and f64.
    tolerance: 1e-3,
    reference: () => (quick ? solveReference(quick, sparsity) : recorded(name)),
    implementations: {
      ours: Effect.gen(function* () {
        const programs = yield* makePrograms
        const [activations, dense] = [uniform(x), uniform(weights)]
        const tokens = [1, x.shape[0], inputs] as const
        const gather = yield* gatherer(tokens)
        const given = yield* DeviceArray.fromHost(HostArray.make(tokens, activations))
        const hessian = yield* gather(given, 1)
        DeviceArray.release(given)
        const weight = HostArray.make(weights.shape, dense)
        const rule = sparseGptRule(sparsity)
        const once = Effect.gen(function* () {
          const factor = yield* inverseFactor(hessian, { layer: name })
          return yield* sweepColumns(programs, weight, factor, { rule })
        })
        return {
          once: Effect.asVoid(once),
          values: Effect.map(once, (swept) =>
            checkPruned(swept.weight.data, dense, activations, inputs),
          ),
        } satisfies OwnSubject
      }),
      torch: {
        kind: "sparsegpt-solve",
        weights,
        x,
        ...(sparsity.kind === "structured"
          ? { pattern: [sparsity.keep, sparsity.of] }
          : { sparsity: sparsity.fraction }),
      },
    },
    targets: [{ kind: "relativeTime", than: "torch", atMost: 1 }],
  }
}

const solves: ReadonlyArray<readonly [string, Sparsity]> = [
  ["sparsegpt-solve", parseSparsity(0.5)],
  ["sparsegpt-solve-2:4", parseSparsity("2:4")],
]

/** References of the full size that are made once, by the case they belong to. */
export const solveReferences: Readonly<Record<string, () => ReadonlyArray<number>>> =
  Object.fromEntries(
    solves.map(([name, sparsity]) => [name, () => solveReference(false, sparsity)]),
  )

/** SparseGPT of one layer, its Hessian and its solve apart. */
export const sparseGptCases = (quick: boolean): ReadonlyArray<Case> => [
  hessianCase(quick),
  ...solves.map(([name, sparsity]) => solveCase(quick, name, sparsity)),
]
