import type { CausalLM } from "@espalier/models"
import { stackWindows } from "@espalier/models"
import type { HostArray, Tensor } from "@espalier/tensor"
import { DeviceArray, Program, Spec, Tree } from "@espalier/tensor"
import { Effect, Scope } from "effect"
import type { BlockStore } from "./block_store.ts"
import { checkParameters } from "./errors.ts"

/** A parameter of the model's own tree; its numbers may be anywhere. */
interface Leaf {
  readonly shape: ReadonlyArray<number>
  readonly dtype: string
}
type Leaves = Readonly<Record<string, Leaf>>

/** The parameters that belong to no block. */
export const outsideBlocks = (model: CausalLM): unknown =>
  model.blocks.reduce((all, block) => block.replace(all, {}), model.parameters)

/** Everything that a tensor is computed from, itself included. */
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

/** What embedding reads, by path. An output head of its own, which may be as large as a table, is not. */
interface EmbeddingParameters {
  /** Parameters that are needed as they are. */
  readonly whole: Leaves
  /**
   * Parameters of which nothing but the rows of the tokens is used. There are none where tokens are
   * used for anything else: tokens may have other numbers then only.
   */
  readonly tables: Leaves
}

/** Traces the embedding to see what it reads, and how. */
export const embeddingParameters = (model: CausalLM): EmbeddingParameters => {
  const outside = outsideBlocks(model)
  const inputs = { parameters: Spec.of(outside), tokens: Spec.i32([1, 2]) }
  const used: Record<string, Leaf> = {}
  const tables: Record<string, Leaf> = {}
  let renamable = true
  Program.make("embed", inputs, ({ parameters, tokens }) => {
    const hidden = model.embed(parameters, tokens)
    const nodes = [...sourcesOf(hidden)]
    const usersOf = (node: Tensor.Tensor) => nodes.filter(({ inputs }) => inputs.includes(node))
    const looksUp = ({ operation, inputs }: Tensor.Tensor) =>
      operation.name === "take" && inputs[1] === tokens
    const found = new Set<Tensor.Tensor>()
    const traced = Tree.leaves<Tensor.Tensor>(parameters)
    for (const [i, [path, leaf]] of Tree.entries(outside).entries()) {
      if (!nodes.includes(traced[i])) continue
      used[path] = leaf as Leaf
      if (!usersOf(traced[i]).every(looksUp)) continue
      tables[path] = leaf as Leaf
      found.add(traced[i])
    }
    renamable = usersOf(tokens).every((user) => looksUp(user) && found.has(user.inputs[0]))
    return hidden
  })
  if (!renamable) return { whole: used, tables: {} }
  const whole = Object.entries(used).filter(([path]) => tables[path] === undefined)
  return { whole: Object.fromEntries(whole), tables }
}

/** The tokens of some windows, each once, and the windows with places among them instead. */
const distinctTokens = (windows: ReadonlyArray<Int32Array>) => {
  const places = new Map<number, number>()
  for (const window of windows) {
    for (const token of window) if (!places.has(token)) places.set(token, places.size)
  }
  return {
    distinct: [...places.keys()],
    renamed: windows.map((window) => window.map((token) => places.get(token)!)),
  }
}

/**
 * Embeds calibration windows in batches of `size`: hidden states [≤ size, window, dimension]. Of tables,
 * only the rows that the text needs are read. What only embedding needs is freed at the end.
 */
export const embedWindows = Effect.fnUntraced(function* <E, R>(
  model: CausalLM,
  store: Pick<BlockStore<E, R>, "outside" | "rows">,
  windows: ReadonlyArray<Int32Array>,
  size: number,
) {
  const hiddenScope = yield* Effect.scope
  const { whole, tables } = embeddingParameters(model)
  const { distinct, renamed } = distinctTokens(windows)
  const given = Object.keys(tables).length > 0 ? renamed : windows
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const parameters: Record<string, DeviceArray.DeviceArray> = {}
      const load = Effect.fnUntraced(function* (path: string, array: HostArray.HostArray) {
        yield* checkParameters({ [path]: array })
        parameters[path] = yield* DeviceArray.fromHost(array)
      })
      for (const [path, leaf] of Object.entries(whole)) {
        yield* load(path, (yield* store.outside({ [path]: leaf }))[path])
      }
      for (const [path, leaf] of Object.entries(tables)) {
        yield* load(path, yield* store.rows(leaf, distinct))
      }
      const compile = (rows: number, window: number) => {
        const inputs = { parameters: Spec.of(parameters), tokens: Spec.i32([rows, window]) }
        return Program.compile(
          Program.make("embed", inputs, ({ parameters, tokens }) => {
            const named = parameters as Readonly<Record<string, Tensor.Tensor>>
            const tree = Tree.map(outsideBlocks(model), (_: Leaf, path) => named[path])
            return model.embed(tree, tokens)
          }),
        )
      }
      const programs = new Map<number, Effect.Success<ReturnType<typeof compile>>>()
      const embedded: Array<DeviceArray.DeviceArray> = []
      for (let start = 0; start < given.length; start += size) {
        const tokens = stackWindows(given.slice(start, start + size))
        const [rows, window] = tokens.shape
        const run = programs.get(rows) ?? (yield* compile(rows, window))
        programs.set(rows, run)
        embedded.push(yield* run({ parameters, tokens }).pipe(Scope.provide(hiddenScope)))
      }
      return embedded
    }),
  )
})
