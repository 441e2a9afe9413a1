import type { Block, CausalLM } from "@espalier/models"
import { Program, Spec } from "@espalier/tensor"
import type { DeviceArray, Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import type { Statistic } from "./statistic.ts"

type Specs = Readonly<Record<string, Spec>>

/** Arrays of the device by name. */
export type Arrays = Readonly<Record<string, DeviceArray.DeviceArray>>

/** The accumulators of one block, by linear. */
export const statisticSpecs = (block: Block, statistic: Statistic): Specs =>
  Object.fromEntries(block.linears.map(({ name, shape }) => [name, statistic.spec(shape[1])]))

/**
 * The parameters that belong to no block: all that embedding needs, and little beside the blocks of
 * a deep model.
 */
export const outsideBlocks = (model: CausalLM): unknown =>
  model.blocks.reduce((all, block) => block.replace(all, {}), model.parameters)

const compileBlock = Effect.fnUntraced(function* (
  model: CausalLM,
  block: Block,
  statistic: Statistic,
  hidden: Spec,
) {
  const own = Spec.of(block.parameters(model.parameters)) as Specs
  const forward = Program.make("block", { own, hidden }, (given) =>
    block.forward(given.own, given.hidden),
  )
  const statistics = statisticSpecs(block, statistic)
  const observe = Program.make("observe", { own, hidden, statistics }, (given) => {
    const next: Record<string, Tensor.Tensor> = { ...given.statistics }
    block.forward(given.own, given.hidden, (linear, input) => {
      next[linear] = statistic.update(next[linear], input)
    })
    return next
  })
  return { forward: yield* Program.compile(forward), observe: yield* Program.compile(observe) }
})

/** The programs for one number of windows at once; blocks of one signature share theirs. */
export const compileBlocks = Effect.fnUntraced(function* (
  model: CausalLM,
  statistic: Statistic,
  size: number,
  window: number,
) {
  const hidden = Spec.f32([size, window, model.dimension])
  const bySignature = new Map<string, Effect.Success<ReturnType<typeof compileBlock>>>()
  for (const block of model.blocks) {
    if (bySignature.has(block.signature)) continue
    bySignature.set(block.signature, yield* compileBlock(model, block, statistic, hidden))
  }
  return (block: Block) => bySignature.get(block.signature)!
})

/** Finds the programs of a block. */
export type BlockPrograms = Effect.Success<ReturnType<typeof compileBlocks>>

/** Token ids [size, window] to the first hidden states. */
export const compileEmbedding = (model: CausalLM, size: number, window: number) =>
  Program.compile(
    Program.make(
      "embed",
      { parameters: Spec.of(outsideBlocks(model)), tokens: Spec.i32([size, window]) },
      ({ parameters, tokens }) => model.embed(parameters, tokens),
    ),
  )
