import type { Block, CausalLM, NamedLinear } from "@espalier/models"
import type { DeviceArray, Tensor } from "@espalier/tensor"
import { Program, Spec } from "@espalier/tensor"
import { Effect } from "effect"
import type { Gatherer } from "./gatherer.ts"
import { makeGatherer } from "./gatherer.ts"
import type { Statistic } from "./statistic.ts"

type Specs = Readonly<Record<string, Spec>>

/** Arrays of the device by name. */
export type Arrays = Readonly<Record<string, DeviceArray.DeviceArray>>

const blockSpecs = (model: CausalLM, block: Block): Specs =>
  Spec.of(block.parameters(model.parameters)) as Specs

/** Linears of a block that are given the same inputs, such as query, key and value. */
export type InputGroup = ReadonlyArray<NamedLinear>

/** Finds which linears share their inputs by tracing the block. */
const groupInputs = (model: CausalLM, block: Block): ReadonlyArray<InputGroup> => {
  const groups = new Map<Tensor.Tensor, Array<NamedLinear>>()
  const inputs = { own: blockSpecs(model, block), hidden: Spec.f32([1, 2, model.dimension]) }
  Program.make("inputs", inputs, ({ own, hidden }) =>
    block.forward(own, hidden, (name, input) => {
      const linear = block.linears.find((each) => each.name === name)
      if (linear !== undefined) groups.set(input, [...(groups.get(input) ?? []), linear])
    }),
  )
  return [...groups.values()]
}

const compileBlock = Effect.fnUntraced(function* (model: CausalLM, block: Block, hidden: Spec) {
  const own = blockSpecs(model, block)
  const groups = groupInputs(model, block)
  const forward = Program.make("block", { own, hidden }, (given) =>
    block.forward(given.own, given.hidden),
  )
  const observe = Program.make("observe", { own, hidden }, (given) => {
    const seen: Array<Tensor.Tensor> = []
    block.forward(given.own, given.hidden, (linear, input) => {
      const at = groups.findIndex(([first]) => first.name === linear)
      if (at >= 0) seen[at] = input
    })
    return seen
  })
  return {
    groups,
    forward: yield* Program.compile(forward),
    /** What each group is given, [size, window, inputs]. */
    observe: yield* Program.compile(observe),
  }
})

/**
 * The programs for one number of windows at once; blocks of one signature share theirs, and groups of
 * one width what adds up their inputs.
 */
export const compileBlocks = Effect.fnUntraced(function* (
  model: CausalLM,
  statistic: Statistic,
  size: number,
  window: number,
) {
  const hidden = Spec.f32([size, window, model.dimension])
  const bySignature = new Map<string, Effect.Success<ReturnType<typeof compileBlock>>>()
  const byWidth = new Map<number, Gatherer>()
  for (const block of model.blocks) {
    if (bySignature.has(block.signature)) continue
    const compiled = yield* compileBlock(model, block, hidden)
    bySignature.set(block.signature, compiled)
    for (const [{ shape }] of compiled.groups) {
      const [, inputs] = shape
      if (byWidth.has(inputs)) continue
      byWidth.set(inputs, yield* makeGatherer(statistic, [size, window, inputs]))
    }
  }
  return {
    of: (block: Block) => bySignature.get(block.signature)!,
    gatherer: (inputs: number) => byWidth.get(inputs)!,
  }
})

/** Finds the programs of a block. */
export type BlockPrograms = Effect.Success<ReturnType<typeof compileBlocks>>
