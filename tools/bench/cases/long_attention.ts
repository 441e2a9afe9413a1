import type { LlamaConfig } from "@espalier/models"
import { llamaParameterEntries, makeLlama, makeLlamaConfig } from "@espalier/models"
import {
  DeviceArray,
  Grad,
  HostArray,
  Interpreter,
  Program,
  Spec,
  Tensor,
  Tree,
} from "@espalier/tensor"
import { Effect, Result } from "effect"
import type { Case, OwnSubject } from "../case.ts"
import { uniform } from "../inputs.ts"
import type { Formula } from "../inputs.ts"
import { llamaFormulas, llamaWeights } from "../llama_weights.ts"
import { recorded } from "../recorded.ts"

type T = Tensor.Tensor
type Block = Readonly<Record<string, T>>

const hiddenSeed = 8

const configOf = (quick: boolean): LlamaConfig =>
  Result.getOrThrow(
    makeLlamaConfig({
      dimension: quick ? 32 : 128,
      hiddenDimension: quick ? 64 : 344,
      layers: 1,
      heads: quick ? 4 : 8,
      keyValueHeads: quick ? 4 : 8,
      vocabularySize: 4,
      contextLength: quick ? 16 : 2048,
    }),
  )

/** Length of a gradient as a vector. */
const norm = ({ data }: HostArray.HostArray): number => {
  let squares = 0
  for (const value of data) squares += value * value
  return Math.sqrt(squares)
}

/** Forward and backward through the model's own decoder block. */
const ownSubject = (config: LlamaConfig, hiddenFormula: Formula) =>
  Effect.gen(function* () {
    const weights = llamaWeights(config)
    const [block] = makeLlama(config, weights).blocks
    const hidden = HostArray.make(hiddenFormula.shape, uniform(hiddenFormula))
    const own = block.parameters(weights) as Readonly<Record<string, HostArray.HostArray>>
    const inputs = { own, hidden }
    const program = Program.make("lm-attention-long", Spec.of(inputs), (given) =>
      Grad.valueAndGrad(({ own, hidden }: { readonly own: Block; readonly hidden: T }) =>
        Tensor.mean(Tensor.square(block.forward(own, hidden))),
      )(given),
    )
    const run = yield* Program.compile(program)
    const given = yield* DeviceArray.fromHostTree(inputs)
    const once = Effect.gen(function* () {
      const result = yield* run(given)
      const value = yield* DeviceArray.toHost(result.value)
      DeviceArray.release(result)
      return value
    })
    const values = Effect.gen(function* () {
      const result = yield* DeviceArray.toHostTree(yield* run(given))
      const norms = Tree.entries(result.grads).map(([, leaf]) => norm(leaf as HostArray.HostArray))
      return [result.value.data[0], ...norms]
    })
    return { values, once: Effect.asVoid(once) } satisfies OwnSubject
  })

const hiddenOf = (config: LlamaConfig): Formula => ({
  shape: [1, config.contextLength, config.dimension],
  seed: hiddenSeed,
})

/** Loss and the norm of each gradient on the `f64` interpreter, which takes a while at full size. */
export const longAttentionReference = (quick: boolean): Promise<ReadonlyArray<number>> => {
  const config = configOf(quick)
  return ownSubject(config, hiddenOf(config)).pipe(
    Effect.flatMap(({ values }) => values),
    Effect.scoped,
    Effect.provide(Interpreter.layer),
    Effect.runPromise,
  )
}

/** A sequence so long that a matrix of scores for each head is what fills the memory. */
export const longAttentionCases = (quick: boolean): ReadonlyArray<Case> => {
  const config = configOf(quick)
  const hidden = hiddenOf(config)
  const formulas = new Map(llamaFormulas(config))
  // Gradients are compared in the order of our tree: `hidden`, then `own.…` by name.
  const block = llamaParameterEntries(llamaWeights(config))
    .map(([name]) => name)
    .filter((name) => name.startsWith("blocks.0."))
    .toSorted()
  return [
    {
      name: "lm-attention-long",
      title: `one decoder block, d ${config.dimension}, ${config.heads} heads, sequence ${config.contextLength}: forward and backward`,
      work: { amount: config.contextLength, unit: "token" },
      tolerance: 1e-4,
      reference: () => (quick ? longAttentionReference(quick) : recorded("lm-attention-long")),
      implementations: {
        ours: ownSubject(config, hidden),
        torch: {
          kind: "lm-attention-long",
          config,
          hidden,
          parameters: Object.fromEntries(block.map((name) => [name, formulas.get(name)])),
        },
      },
      targets: [{ kind: "memory", than: "torch", atMost: 1 }],
    },
  ]
}
