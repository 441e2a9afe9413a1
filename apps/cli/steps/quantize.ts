import { Step } from "@espalier/pipeline"
import { Effect, Schema } from "effect"
import type { ModelValue } from "../artifacts/model.ts"
import { Model } from "../artifacts/model.ts"
import { Text } from "../artifacts/text.ts"
import { measured } from "../measured.ts"
import { Count } from "../method_options.ts"
import type { QuantizedModel, QuantizeMethod } from "../quantization/methods.ts"
import { quantizeMethods } from "../quantization/methods.ts"
import { calibrationFields, windowsOf } from "./windows.ts"

const schemeFields = {
  bits: Schema.Literals([2, 3, 4, 8]).annotate({ description: "bits of a weight" }),
  group: Schema.Literals(["channel", 32, 64, 128])
    .annotate({ description: "inputs that share a scale: all of an output, or so many" })
    .pipe(Schema.withDecodingDefault(Effect.succeed("channel" as const))),
  symmetric: Schema.Boolean.annotate({
    description: "whether the zero point is in the middle, instead of where it suits a group",
  }).pipe(Schema.withDecodingDefault(Effect.succeed(false))),
}

const trainingFields = {
  ...calibrationFields,
  batch: Count.annotate({ description: "windows per step" }).pipe(
    Schema.withDecodingDefault(Effect.succeed(8)),
  ),
  samples: Count.annotate({ description: "windows to train on" }).pipe(
    Schema.withDecodingDefault(Effect.succeed(128)),
  ),
}

/** `steps` is among the options of each method that trains, which their common type does not say. */
const limitedInTraining = ["samples", "steps"] as ReadonlyArray<string> as ReadonlyArray<"samples">

const modelInput = { model: { type: Model, description: "the model to quantise" } }

const teacherInput = {
  teacher: {
    type: Model,
    optional: true,
    description: "whose predictions are learnt (default those of the model)",
  },
}

const outputsOf = ({ tokenizer }: ModelValue, { model, weights }: QuantizedModel) => {
  const value: ModelValue = { model, tokenizer }
  return { model: weights.size === 0 ? value : { ...value, quantized: weights } }
}

const plainStep = ({ name, description, options, run }: QuantizeMethod) =>
  Step.define({
    use: `quantize/${name}`,
    description,
    version: 1,
    module: import.meta.url,
    config: Schema.Struct({ ...schemeFields, ...options }),
    inputs: modelInput,
    outputs: { model: Model },
    usesDevice: true,
    run: ({ config: { bits, group, symmetric, ...own }, inputs }) =>
      Effect.gen(function* () {
        const scheme = { bits, group, symmetric }
        const work = { scheme, windows: [], batch: 1, layerErrors: false, seed: 0 }
        const [quantized, cost] = yield* measured(
          run(inputs.model.model, work, own as unknown as never),
        )
        return {
          outputs: outputsOf(inputs.model, quantized),
          metrics: { ...quantized.figures, ...cost },
        }
      }),
  })

const readingStep = ({ name, description, options, reads, run }: QuantizeMethod) =>
  Step.define({
    use: `quantize/${name}`,
    description,
    version: 1,
    module: import.meta.url,
    config: Schema.Struct({
      ...schemeFields,
      ...(reads === "training" ? trainingFields : calibrationFields),
      ...options,
    }),
    inputs: {
      ...modelInput,
      calibration: {
        type: Text,
        description:
          reads === "training"
            ? "the text to train on"
            : "the text whose activations weigh the weights",
      },
      ...(reads === "training" ? teacherInput : {}),
    },
    outputs: { model: Model },
    limited: reads === "training" ? limitedInTraining : ["samples"],
    usesDevice: true,
    usesSeed: true,
    run: ({ config, inputs, seed: common }) =>
      Effect.gen(function* () {
        const { bits, group, symmetric, window, join, samples, sampling, batch, ...rest } = config
        const { seed = common, ...own } = rest
        const cut = { window, join, samples, sampling, seed }
        const windows = yield* windowsOf(inputs.model, inputs.calibration, cut)
        const scheme = { bits, group, symmetric }
        const teacher = inputs.teacher?.model
        const work = { scheme, windows, batch, layerErrors: true, seed, teacher }
        const [quantized, cost] = yield* measured(
          run(inputs.model.model, work, own as unknown as never),
        )
        return {
          outputs: outputsOf(inputs.model, quantized),
          metrics: { ...quantized.figures, ...cost, windows: windows.length },
        }
      }),
  })

/** `quantize/rtn`, `quantize/gptq`, … */
export const quantizeSteps = quantizeMethods.map((method) =>
  method.reads === "nothing" ? plainStep(method) : readingStep(method),
)
