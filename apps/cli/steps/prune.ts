import { Step } from "@espalier/pipeline"
import type { Pruned } from "@espalier/pruning"
import { parseSparsity, pruneMagnitude, pruneWanda, SparsityInput } from "@espalier/pruning"
import { Effect, Schema } from "effect"
import type { ModelValue } from "../artifacts/model.ts"
import { Model, sameFamily } from "../artifacts/model.ts"
import { Text } from "../artifacts/text.ts"
import { calibrationFields, windowsOf } from "./windows.ts"

const Sparsity = SparsityInput.annotate({
  description: 'a fraction such as 0.5, or "N:M" = N kept of every M inputs',
})

const result = (before: ModelValue, { model, sparsity, layers }: Pruned) => ({
  outputs: { model: sameFamily(before, model) },
  metrics: {
    sparsity: {
      overall: sparsity,
      layers: Object.fromEntries(layers.map((layer) => [layer.layer, layer.sparsity])),
    },
  },
})

/** `prune/magnitude`: the smallest weights go. */
export const pruneMagnitudeStep = Step.define({
  use: "prune/magnitude",
  description: "Removes the smallest weights of each layer; needs no text.",
  version: 1,
  config: Schema.Struct({ sparsity: Sparsity }),
  inputs: { model: { type: Model, description: "the model to prune" } },
  outputs: { model: Model },
  usesDevice: true,
  run: ({ config, inputs }) =>
    Effect.map(pruneMagnitude(inputs.model.model, parseSparsity(config.sparsity)), (pruned) =>
      result(inputs.model, pruned),
    ),
})

/** `prune/wanda`: the smallest weights, weighed by the inputs they see, go. */
export const pruneWandaStep = Step.define({
  use: "prune/wanda",
  description: "Removes the weights with the smallest |weight| · ‖input‖ of each output (Wanda).",
  version: 1,
  config: Schema.Struct({ sparsity: Sparsity, ...calibrationFields }),
  inputs: {
    model: { type: Model, description: "the model to prune" },
    calibration: { type: Text, description: "the text whose activations weigh the weights" },
  },
  outputs: { model: Model },
  usesDevice: true,
  usesSeed: true,
  run: ({ config, inputs, seed }) =>
    Effect.gen(function* () {
      const windows = yield* windowsOf(inputs.model, inputs.calibration, {
        window: config.window,
        join: config.join,
        samples: config.samples,
        sampling: config.sampling,
        seed,
      })
      const sparsity = parseSparsity(config.sparsity)
      const options = { sparsity, windows, batch: config.batch }
      const pruned = yield* pruneWanda(inputs.model.model, options)
      const { outputs, metrics } = result(inputs.model, pruned)
      return { outputs, metrics: { ...metrics, windows: windows.length } }
    }),
})
