import type { Block, CausalLM, NamedLinear } from "@espalier/models"
import type { DeviceArray, Tensor } from "@espalier/tensor"
import { Program, Spec, Tree } from "@espalier/tensor"
import { Effect } from "effect"
import type { Accumulators, Statistic } from "./statistic.ts"

type Specs = Readonly<Record<string, Spec>>

/** Arrays of the device by name. */
export type Arrays = Readonly<Record<string, DeviceArray.DeviceArray>>

/**
 * The parameters that belong to no block: all that embedding needs, and little beside the blocks of
 * a deep model.
 */
export const outsideBlocks = (model: CausalLM): unknown =>
  model.blocks.reduce((all, block) => block.replace(all, {}), model.parameters)

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

const compileBlock = Effect.fnUntraced(function* (
  model: CausalLM,
  block: Block,
  statistic: Statistic,
  hidden: Spec,
) {
  const own = blockSpecs(model, block)
  const groups = groupInputs(model, block)
  const statistics = groups.map(([{ shape }]) => statistic.specs(shape[1]))
  const forward = Program.make("block", { own, hidden }, (given) =>
    block.forward(given.own, given.hidden),
  )
  const observe = Program.make("observe", { own, hidden, statistics }, (given) => {
    const next: Array<Accumulators<Tensor.Tensor>> = [...given.statistics]
    block.forward(given.own, given.hidden, (linear, input) => {
      const at = groups.findIndex(([first]) => first.name === linear)
      if (at >= 0) next[at] = statistic.update(next[at], input)
    })
    return next
  })
  const observes = statistics.some((specs) => Object.keys(specs).length > 0)
  return {
    groups,
    statistics,
    forward: yield* Program.compile(forward),
    observe: observes ? yield* Program.compile(observe) : undefined,
  }
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

/** What a program reads of a tensor's sources. */
const sourcesOf = (output: Tensor.Tensor): ReadonlySet<Tensor.Tensor> => {
  const found = new Set<Tensor.Tensor>()
  const visit = (node: Tensor.Tensor): void => {
    if (found.has(node)) return
    found.add(node)
    node.inputs.forEach(visit)
  }
  visit(output)
  return found
}

type Leaf = { readonly shape: ReadonlyArray<number>; readonly dtype: string }

/**
 * The parameters that embedding reads, by path: not the output head, which may be as large. Leaves are
 * those of the model's own tree.
 */
export const embeddingParameters = (model: CausalLM): Readonly<Record<string, unknown>> => {
  const outside = Tree.entries(outsideBlocks(model)) as ReadonlyArray<readonly [string, Leaf]>
  let used: ReadonlySet<Tensor.Tensor> = new Set()
  let leaves: ReadonlyArray<Tensor.Tensor> = []
  const inputs = { parameters: Spec.of(outsideBlocks(model)), tokens: Spec.i32([1, 2]) }
  Program.make("embed", inputs, ({ parameters, tokens }) => {
    leaves = Tree.leaves<Tensor.Tensor>(parameters)
    const hidden = model.embed(parameters, tokens)
    used = sourcesOf(hidden)
    return hidden
  })
  return Object.fromEntries(outside.filter((_, i) => used.has(leaves[i])))
}

/** Token ids [size, window] to the first hidden states, from {@link embeddingParameters}. */
export const compileEmbedding = (model: CausalLM, size: number, window: number) =>
  Program.compile(
    Program.make(
      "embed",
      { parameters: Spec.of(embeddingParameters(model)), tokens: Spec.i32([size, window]) },
      ({ parameters, tokens }) => {
        const given = parameters as Readonly<Record<string, Tensor.Tensor>>
        const whole = Tree.map(outsideBlocks(model), (_: Leaf, path) => given[path])
        return model.embed(whole, tokens)
      },
    ),
  )
