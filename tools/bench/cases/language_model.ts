import type { LlamaConfig } from "@espalier/models"
import { makeLlama, makeLlamaConfig, windowCrossEntropy } from "@espalier/models"
import { makeTrainStep, Optimizers, Schedules } from "@espalier/nn"
import { DeviceArray, HostArray, Interpreter, Program, Tensor, Tree } from "@espalier/tensor"
import { Effect, Result } from "effect"
import type { Case, OwnSubject } from "../case.ts"
import { integers } from "../inputs.ts"
import { llamaFormulas, llamaWeights } from "../llama_weights.ts"
import { recorded } from "../recorded.ts"

const decays = [0.9, 0.95] as const
const weightDecay = 0.1
const rate = 1e-3
const tokenSeed = 7

/** Losses that are compared: those before and after the first updates. */
const checkedSteps = 3

interface Sizes {
  readonly config: LlamaConfig
  readonly batch: number
  readonly window: number
}

const sizes = (quick: boolean): Sizes => ({
  config: Result.getOrThrow(
    makeLlamaConfig({
      ...(quick
        ? { dimension: 32, hiddenDimension: 64, layers: 1, heads: 4, keyValueHeads: 4 }
        : { dimension: 128, hiddenDimension: 344, layers: 4, heads: 8, keyValueHeads: 8 }),
      vocabularySize: quick ? 64 : 512,
      contextLength: quick ? 16 : 128,
      tiedEmbeddings: false,
    }),
  ),
  batch: quick ? 2 : 16,
  window: quick ? 16 : 128,
})

/** Forward, backward and AdamW on the same batch: the program that `train` runs. */
const prepareStep = ({ config, batch, window }: Sizes) => {
  const parameters = llamaWeights(config)
  const model = makeLlama(config, parameters)
  const ids = integers(batch * window, tokenSeed, config.vocabularySize)
  const tokens = HostArray.make([batch, window], ids, "i32")
  const optimizer = Optimizers.adamW({
    firstDecay: decays[0],
    secondDecay: decays[1],
    weightDecay,
    decays: (_, shape) => shape.length > 1,
  })
  const makeProgram = () =>
    makeTrainStep({
      name: "lm-train",
      parameters,
      batch: () => ({ tokens }),
      loss: (tree, { tokens }) => Tensor.mean(windowCrossEntropy(model, tree, tokens)),
      optimizer,
      learningRate: Schedules.constantRate(rate),
    })
  const zeros = Tree.map<HostArray.HostArray, HostArray.HostArray, typeof parameters>(
    parameters,
    ({ shape }) => HostArray.zeros(shape),
  )
  const state = { parameters, slots: { first: zeros, second: zeros } }
  const hyperparameters = (step: number) => optimizer.hyperparameters(step, rate)
  return { makeProgram, state, batch: { tokens }, hyperparameters }
}

const trainSubject = (size: Sizes) =>
  Effect.gen(function* () {
    const { makeProgram, state: start, batch, hyperparameters } = prepareStep(size)
    const run = yield* Program.compile(makeProgram())
    const tokens = yield* DeviceArray.fromHost(batch.tokens)
    let state: Parameters<typeof run>[0]["state"] = yield* DeviceArray.fromHostTree(start)
    let step = 0
    const advance = Effect.gen(function* () {
      step++
      const given = { state, batch: { tokens }, hyperparameters: hyperparameters(step) }
      const next = yield* run(given, { donate: ["state"] })
      state = next.state
      const [loss] = yield* DeviceArray.toArray(next.loss)
      DeviceArray.release([next.loss, next.norm])
      return loss
    })
    return {
      values: Effect.all(Array.from({ length: checkedSteps }, () => advance)),
      once: Effect.asVoid(advance),
    } satisfies OwnSubject
  })

/** `Program.make` and `Program.compile` of the step; `before` says how often it was done already. */
const compileSubject = (size: Sizes, before: number) =>
  Effect.gen(function* () {
    // Weights are made here, so that they do not count.
    const ready = prepareStep(size)
    const compile = Effect.suspend(() => Program.compile(ready.makeProgram()))
    for (let i = 0; i < before; i++) yield* compile
    const values = Effect.gen(function* () {
      const run = yield* compile
      const { state, batch, hyperparameters } = ready
      const { loss } = yield* run({ state, batch, hyperparameters: hyperparameters(1) })
      return yield* DeviceArray.toArray(loss)
    })
    return { values, once: Effect.asVoid(compile) } satisfies OwnSubject
  })

/** What PyTorch has to know to build the same model and step. */
const torchGiven = ({ config, batch, window }: Sizes) => ({
  kind: "lm-train",
  config,
  batch,
  window,
  parameters: Object.fromEntries(llamaFormulas(config)),
  optimizer: { decays, weightDecay, rate, epsilon: 1e-8 },
  tokenSeed,
  checkedSteps,
})

/** Losses of the first steps on the `f64` interpreter; minutes at full size, hence kept in a file. */
export const trainReference = (quick: boolean): Promise<ReadonlyArray<number>> =>
  trainSubject(sizes(quick)).pipe(
    Effect.flatMap(({ values }) => values),
    Effect.scoped,
    Effect.provide(Interpreter.layer),
    Effect.runPromise,
  )

/** Training of a LLaMA-style model, and how long its step takes to compile. */
export const languageModelCases = (quick: boolean): ReadonlyArray<Case> => {
  const size = sizes(quick)
  const { config, batch, window } = size
  const reference = () => (quick ? trainReference(quick) : recorded("lm-train"))
  const compilation = (
    name: string,
    before: number,
    milliseconds: number,
    title: string,
  ): Case => ({
    name,
    title,
    tolerance: 1e-4,
    reference: async () => (await reference()).slice(0, 1),
    implementations: { ours: compileSubject(size, before) },
    cold: true,
    singleThread: true,
    targets: [{ kind: "time", atMost: milliseconds }],
  })
  const step = `LLaMA-style model, d ${config.dimension}, ${config.layers} layers, batch ${batch} × ${window}`
  return [
    {
      name: "lm-train",
      title: `${step}: forward, backward and AdamW`,
      work: { amount: batch * window, unit: "token" },
      tolerance: 1e-4,
      reference,
      implementations: { ours: trainSubject(size), torch: torchGiven(size) },
      targets: [
        { kind: "speed", than: "torch", atLeast: 0.8, aim: 1 },
        { kind: "memory", than: "torch", atMost: 1 },
      ],
    },
    compilation(
      "compile-first",
      0,
      1500,
      "Program.make and compile of lm-train in a fresh process",
    ),
    compilation("compile-second", 1, 200, "the same once more in that process"),
  ]
}
