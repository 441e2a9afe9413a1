import { Step } from "@espalier/pipeline"
import type { Pruned, Pruner } from "@espalier/pruning"
import { owlBudgets, parseSparsity, prune, SparsityInput } from "@espalier/pruning"
import { Effect, Schema } from "effect"
import type { ModelValue } from "../artifacts/model.ts"
import { Model } from "../artifacts/model.ts"
import { Text } from "../artifacts/text.ts"
import { measured } from "../measured.ts"
import type { PruneMethod } from "../pruning/methods.ts"
import { pruneMethods } from "../pruning/methods.ts"
import { calibrationFields, windowsOf } from "./windows.ts"

const sparsityField = {
  sparsity: SparsityInput.annotate({
    description: 'a fraction such as 0.5, or "N:M" = N kept of every M inputs',
  }),
}

const budgetField = {
  budgets: Schema.Literals(["uniform", "owl"])
    .annotate({
      description: "the same sparsity everywhere, or more where there are fewer outliers",
    })
    .pipe(Schema.withDecodingDefault(Effect.succeed("uniform" as const))),
}

const mean = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** What a person compares methods by. */
export const pruneMetrics = ({ sparsity, layers }: Omit<Pruned, "model">) => {
  const errors = layers.flatMap(({ layer, error }) =>
    error === undefined ? [] : [[layer, error] as const],
  )
  const dead = layers.reduce((sum, { deadInputs = 0 }) => sum + deadInputs, 0)
  return {
    sparsity: {
      overall: sparsity,
      layers: Object.fromEntries(layers.map((layer) => [layer.layer, layer.sparsity])),
    },
    ...(errors.length === 0
      ? {}
      : {
          layerError: {
            overall: mean(errors.map(([, error]) => error)),
            layers: Object.fromEntries(errors),
          },
        }),
    deadInputs: dead,
  }
}

const result = ({ tokenizer }: ModelValue, { model, ...counted }: Pruned) => ({
  outputs: { model: { model, tokenizer } },
  metrics: pruneMetrics(counted),
})

const modelInput = { model: { type: Model, description: "the model to prune" } }

const plainStep = ({ name, description, make }: PruneMethod) =>
  Step.define({
    use: `prune/${name}`,
    description,
    version: 2,
    module: import.meta.url,
    config: Schema.Struct(sparsityField),
    inputs: modelInput,
    outputs: { model: Model },
    usesDevice: true,
    run: ({ config, inputs }) =>
      Effect.gen(function* () {
        const options = { sparsity: parseSparsity(config.sparsity) }
        const [pruned, cost] = yield* measured(
          prune(inputs.model.model, make({} as never), options),
        )
        const { outputs, metrics } = result(inputs.model, pruned)
        return { outputs, metrics: { ...metrics, ...cost } }
      }),
  })

const calibratedStep = ({ name, description, options, make }: PruneMethod) =>
  Step.define({
    use: `prune/${name}`,
    description,
    version: 2,
    module: import.meta.url,
    config: Schema.Struct({ ...sparsityField, ...calibrationFields, ...budgetField, ...options }),
    inputs: {
      ...modelInput,
      calibration: { type: Text, description: "the text whose activations weigh the weights" },
    },
    outputs: { model: Model },
    limited: ["samples"],
    usesDevice: true,
    usesSeed: true,
    run: ({ config, inputs, seed }) =>
      Effect.gen(function* () {
        const {
          sparsity,
          window,
          join,
          samples,
          sampling,
          batch,
          seed: ownSeed,
          budgets,
          ...own
        } = config
        const windows = yield* windowsOf(inputs.model, inputs.calibration, {
          window,
          join,
          samples,
          sampling,
          seed: ownSeed ?? seed,
        })
        const pruner: Pruner = make(own as never)
        const { model } = inputs.model
        const given = { sparsity: parseSparsity(sparsity), windows, batch, layerErrors: true }
        const work = Effect.gen(function* () {
          if (budgets === "uniform") return yield* prune(model, pruner, given)
          const { sparsityOf } = yield* owlBudgets(model, given)
          return yield* prune(model, pruner, { ...given, sparsityOf })
        })
        const [pruned, cost] = yield* measured(work)
        const { outputs, metrics } = result(inputs.model, pruned)
        return { outputs, metrics: { ...metrics, ...cost, windows: windows.length } }
      }),
  })

/** `prune/magnitude`, `prune/wanda`, … */
export const pruneSteps = pruneMethods.map((method) =>
  method.calibrated ? calibratedStep(method) : plainStep(method),
)
