import { assert, describe, it } from "@effect/vitest"
import { makeTrainStep, Optimizers, Schedules } from "@espalier/nn"
import type { Device, HostArray } from "@espalier/tensor"
import { DeviceArray, Program, Spec, Tensor, Tree } from "@espalier/tensor"
import { hasData, needsData, readData } from "@espalier/testing"
import type { Layer } from "effect"
import { Effect } from "effect"
import { forward } from "../causal_lm.ts"
import type { LlamaParameters } from "../llama_parameters.ts"
import { stackWindows, windowCrossEntropy } from "../perplexity.ts"
import { readStories } from "./stories.ts"

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
  readonly steps: readonly [
    {
      readonly loss: number
      readonly gradientNorm: number
      readonly logits: {
        readonly row: readonly [sequence: number, position: number]
        readonly maxAbs: number
        readonly values: ReadonlyArray<number>
        readonly argmax: number
      }
      readonly gradients: Readonly<Record<string, Listed>>
    },
    ...Array<{ readonly loss: number; readonly gradientNorm: number }>,
  ]
  readonly afterThreeSteps: Readonly<Record<string, Listed>>
}

const readGolden = (): Golden =>
  JSON.parse(new TextDecoder().decode(readData("golden/stories260K_training.json")))

const blockNames = new Map([
  ["an", "attentionNorm"],
  ["wq", "query"],
  ["wk", "key"],
  ["wv", "value"],
  ["wo", "output"],
  ["fn", "feedForwardNorm"],
  ["w1", "gate"],
  ["w2", "down"],
  ["w3", "up"],
] as const)

/** All layers of one parameter, one after the other. */
const stacked = (
  { embedding, norm, blocks }: LlamaParameters<HostArray.HostArray>,
  name: string,
): ReadonlyArray<number> => {
  if (name === "emb") return Array.from(embedding.data)
  if (name === "norm") return Array.from(norm.data)
  for (const [short, key] of blockNames) {
    if (short === name) return blocks.flatMap((block) => Array.from(block[key].data))
  }
  return assert.fail(`no parameter is called ${name}`)
}

const assertRelative = (found: number, expected: number, tolerance: number, what: string) =>
  assert.isAtMost(Math.abs(found - expected) / expected, tolerance, what)

/** Compares the first values and the norm of each parameter; the file lists `scale` times ours. */
const assertListed = (
  parameters: LlamaParameters<HostArray.HostArray>,
  listed: Readonly<Record<string, Listed>>,
  tolerance: number,
  scale = 1,
) => {
  for (const [name, { maxAbs, norm, first }] of Object.entries(listed)) {
    const values = stacked(parameters, name).map((value) => value * scale)
    for (const [i, value] of first.entries()) {
      assert.isAtMost(Math.abs(values[i] - value), tolerance * maxAbs, `${name}[${i}]`)
    }
    const found = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0))
    assertRelative(found, norm, tolerance, `norm of ${name}`)
  }
}

/** A device in software may have to compile every kernel for seconds. */
const timeout = 300_000

/** Says that a device agrees with PyTorch to a tolerance relative to the largest value. */
export const describeGolden = (
  name: string,
  device: Layer.Layer<Device, unknown>,
  tolerance: number,
) =>
  describe.skipIf(!hasData)(`float64 PyTorch on ${name}${needsData}`, () => {
    it.effect(
      `gives the same logits within ${tolerance}`,
      () =>
        Effect.gen(function* () {
          const golden = readGolden()
          const model = readStories()
          const { row, values, maxAbs, argmax } = golden.steps[0].logits
          const tokens = stackWindows([Int32Array.from(golden.tokens[row[0]])])
          const inputs = { parameters: Spec.of(model.parameters), tokens: Spec.of(tokens) }
          const run = yield* Program.compile(
            Program.make("logits", inputs, ({ parameters, tokens }) =>
              forward(model, parameters, tokens),
            ),
          )
          const logits = yield* run({ parameters: model.parameters, tokens })
          const at = row[1] * model.vocabularySize
          const found = (yield* DeviceArray.toArray(logits)).slice(at, at + model.vocabularySize)
          for (const [i, value] of values.entries()) {
            assert.isAtMost(Math.abs(found[i] - value), tolerance * maxAbs)
          }
          assert.strictEqual(found.indexOf(Math.max(...found)), argmax)
        }).pipe(Effect.provide(device)),
      timeout,
    )

    it.effect(
      `gives the same gradients and AdamW steps within ${tolerance}`,
      () =>
        Effect.gen(function* () {
          const golden = readGolden()
          const model = readStories()
          const { parameters } = model
          const batch = { tokens: stackWindows(golden.tokens.map((ids) => Int32Array.from(ids))) }
          const firstDecay = 0.9
          const optimizer = Optimizers.adamW({ firstDecay, secondDecay: 0.95, weightDecay: 0.1 })
          const learningRate = Schedules.constantRate(1e-3)
          const step = makeTrainStep({
            name: "golden",
            parameters,
            batch: () => batch,
            loss: (tree, { tokens }) => Tensor.mean(windowCrossEntropy(model, tree, tokens)),
            optimizer,
            learningRate,
          })
          const run = yield* Program.compile(step)
          const zeros = Tree.map<HostArray.HostArray, HostArray.HostArray, typeof parameters>(
            parameters,
            (leaf) => ({ ...leaf, data: leaf.data.slice().fill(0) }),
          )
          let state: Parameters<typeof run>[0]["state"] = {
            parameters,
            slots: { first: zeros, second: zeros },
          }
          for (const [i, { loss, gradientNorm }] of golden.steps.entries()) {
            const hyperparameters = optimizer.hyperparameters(i + 1, learningRate(i + 1))
            const found = yield* run({ state, batch, hyperparameters }, { donate: ["state"] })
            const [ownLoss] = yield* DeviceArray.toArray(found.loss)
            const [ownNorm] = yield* DeviceArray.toArray(found.norm)
            assertRelative(ownLoss, loss, tolerance, `loss of step ${i + 1}`)
            assertRelative(ownNorm, gradientNorm, tolerance, `gradient norm of step ${i + 1}`)
            if (i === 0) {
              // After one step the first moment is (1 − decay) times the gradient.
              const moment = yield* DeviceArray.toHostTree(found.state.slots["first"])
              assertListed(moment, golden.steps[0].gradients, tolerance, 1 / (1 - firstDecay))
            }
            if (i === 2) {
              const after = yield* DeviceArray.toHostTree(found.state.parameters)
              assertListed(after, golden.afterThreeSteps, tolerance)
            }
            state = found.state
          }
        }).pipe(Effect.provide(device)),
      timeout,
    )
  })
