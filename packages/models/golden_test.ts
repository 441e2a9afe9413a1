import { describe, expect, it } from "@effect/vitest"
import { Layers, makeTrainStep, Optimizers, Schedules } from "@espalier/nn"
import type { HostArray } from "@espalier/tensor"
import { DeviceArray, Interpreter, Program, Spec, Tensor, Tree } from "@espalier/tensor"
import { Effect, Result } from "effect"
import { forward } from "./causal_lm.ts"
import { makeLlama } from "./llama.ts"
import { decodeLlama2c } from "./llama2c.ts"
import type { LlamaParameters } from "./llama_parameters.ts"
import { stackWindows } from "./perplexity.ts"
import { hasData, needsData, readData } from "./testing/data.ts"

/**
 * Logits, loss, gradients and three AdamW steps of stories260K against float64 PyTorch
 * (golden/stories260K_training.json of the data folder; layers are stacked there).
 */
interface Listed {
  readonly maxAbs: number
  readonly norm: number
  readonly first: ReadonlyArray<number>
}
interface Golden {
  readonly tokens: ReadonlyArray<ReadonlyArray<number>>
  readonly steps: ReadonlyArray<{
    readonly loss: number
    readonly gradientNorm: number
    readonly logits?: {
      readonly row: readonly [number, number]
      readonly maxAbs: number
      readonly values: ReadonlyArray<number>
      readonly argmax: number
    }
    readonly gradients?: Readonly<Record<string, Listed>>
  }>
  readonly afterThreeSteps: Readonly<Record<string, Listed>>
}

const blockNames = {
  an: "attentionNorm",
  wq: "query",
  wk: "key",
  wv: "value",
  wo: "output",
  fn: "feedForwardNorm",
  w1: "gate",
  w2: "down",
  w3: "up",
} as const

/** All layers of one parameter, one after the other. */
const stacked = (
  parameters: LlamaParameters<HostArray.HostArray>,
  name: string,
): ReadonlyArray<number> => {
  if (name === "emb") return Array.from(parameters.embedding.data)
  if (name === "norm") return Array.from(parameters.norm.data)
  const key = blockNames[name as keyof typeof blockNames]
  return parameters.blocks.flatMap((block) => Array.from(block[key].data))
}

const expectListed = (
  parameters: LlamaParameters<HostArray.HostArray>,
  listed: Readonly<Record<string, Listed>>,
  tolerance: number,
) => {
  for (const [name, { maxAbs, norm, first }] of Object.entries(listed)) {
    const values = stacked(parameters, name)
    first.forEach((value, i) => {
      expect(Math.abs(values[i]! - value), `${name}[${i}]`).toBeLessThanOrEqual(tolerance * maxAbs)
    })
    const own = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0))
    expect(Math.abs(own - norm) / norm, `norm of ${name}`).toBeLessThanOrEqual(tolerance)
  }
}

const devices = [
  { name: "interpreter", layer: Interpreter.layer, tolerance: 1e-9 },
]

describe.skipIf(!hasData)(`golden values of float64 PyTorch${needsData}`, () => {
  for (const { name, layer, tolerance } of devices) {
    it.live(`hold on ${name} within ${tolerance}`, () =>
      Effect.gen(function* () {
        const golden = JSON.parse(
          new TextDecoder().decode(readData("golden/stories260K_training.json")),
        ) as Golden
        const path = "language-models/stories260K.bin"
        const { config, parameters } = Result.getOrThrow(decodeLlama2c(readData(path), path))
        const model = makeLlama(config, parameters)
        const tokens = stackWindows(golden.tokens.map((row) => Int32Array.from(row)))
        const [batch, length] = tokens.shape as readonly [number, number]
        const loss = (tree: unknown, ids: Tensor.Tensor) => {
          const predictions = Tensor.sliceAxis(forward(model, tree, ids), 1, 0, length - 1)
          return Tensor.mean(Layers.crossEntropy(predictions, Tensor.sliceAxis(ids, 1, 1, length)))
        }
        // With rate 1 and no momentum the first step of plain descent shows the gradients.
        const inspect = makeTrainStep({
          name: "inspect",
          parameters,
          batch: () => ({ ids: tokens }),
          loss: (tree, { ids }) => loss(tree, ids as never),
          steps: 1,
          optimizer: { ...Optimizers.sgd(), update: (_, gradient) => ({ parameter: gradient, state: {} }) },
          learningRate: Schedules.constantRate(1),
        })
        const runInspect = yield* Program.compile(inspect)
        const seen = (yield* runInspect({
          state: { parameters, slots: {} },
          batch: { ids: tokens },
          hyperparameters: { learningRate: 1 },
        } as never)) as unknown as {
          loss: DeviceArray.DeviceArray
          state: { parameters: LlamaParameters<DeviceArray.DeviceArray> }
        }
        const [first] = golden.steps
        const found = yield* DeviceArray.toHostTree(seen.state.parameters)
        expectListed(found as unknown as LlamaParameters<HostArray.HostArray>, first!.gradients!, tolerance)

        const logitsOf = yield* Program.compile(
          Program.make("logits", { tree: Spec.of(parameters), ids: Spec.of(tokens) }, ({ tree, ids }) =>
            forward(model, tree, ids),
          ),
        )
        const logits = yield* DeviceArray.toHost(yield* logitsOf({ tree: parameters, ids: tokens } as never))
        const { row, values, maxAbs, argmax } = first!.logits!
        const at = (row[0] * length + row[1]) * config.vocabularySize
        values.forEach((value, i) => {
          expect(Math.abs(logits.data[at + i]! - value)).toBeLessThanOrEqual(tolerance * maxAbs)
        })
        const last = Array.from(logits.data.slice(at, at + config.vocabularySize))
        expect(last.indexOf(Math.max(...last))).toBe(argmax)
        expect(batch).toBe(8)

        const optimizer = Optimizers.adamW({ firstDecay: 0.9, secondDecay: 0.95, weightDecay: 0.1 })
        const learningRate = Schedules.constantRate(1e-3)
        const run = yield* Program.compile(
          makeTrainStep({
            name: "train",
            parameters,
            batch: () => ({ ids: tokens }),
            loss: (tree, { ids }) => loss(tree, ids as never),
            steps: 4,
            optimizer,
            learningRate,
          }),
        )
        const zeros = Tree.map<HostArray.HostArray, HostArray.HostArray, typeof parameters>(
          parameters,
          (leaf) => ({ ...leaf, data: leaf.data.slice().fill(0) }),
        )
        let state: unknown = yield* DeviceArray.fromHostTree({
          parameters,
          slots: { first: zeros, second: zeros },
        })
        for (const [i, expected] of golden.steps.entries()) {
          if (i === 3) {
            const after = (yield* DeviceArray.toHostTree(state)) as unknown as {
              parameters: LlamaParameters<HostArray.HostArray>
            }
            expectListed(after.parameters, golden.afterThreeSteps, tolerance)
          }
          const result = (yield* run(
            {
              state,
              batch: { ids: tokens },
              hyperparameters: optimizer.hyperparameters(i + 1, learningRate(i + 1)),
            } as never,
            { donate: ["state"] },
          )) as unknown as { loss: DeviceArray.DeviceArray; norm: DeviceArray.DeviceArray; state: unknown }
          state = result.state
          const [value] = yield* DeviceArray.toArray(result.loss)
          const [norm] = yield* DeviceArray.toArray(result.norm)
          expect(Math.abs(value! - expected.loss) / expected.loss).toBeLessThanOrEqual(tolerance)
          expect(Math.abs(norm! - expected.gradientNorm) / expected.gradientNorm).toBeLessThanOrEqual(tolerance)
        }
      }).pipe(Effect.scoped, Effect.provide(layer)),
    )
  }
})
