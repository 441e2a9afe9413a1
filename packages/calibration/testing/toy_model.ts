import type { Block, CausalLM } from "@espalier/models"
import { HostArray, Tensor } from "@espalier/tensor"

/** One block: hidden + down · relu(up · hidden). */
export interface ToyBlock<A> {
  readonly up: A
  readonly down: A
}

/** Parameters of a toy model. */
export interface ToyParameters<A> {
  readonly embedding: A
  readonly blocks: ReadonlyArray<ToyBlock<A>>
}

type Matrix = ReadonlyArray<ReadonlyArray<number>>

const vocabulary = 6
const dimension = 4

/** Deterministic numbers in [-1, 1). */
const draw = (shape: ReadonlyArray<number>, seed: number): HostArray.HostArray => {
  let state = seed >>> 0
  return HostArray.make(
    shape,
    Array.from({ length: shape.reduce((size, extent) => size * extent, 1) }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.fround(state / 2 ** 31 - 1)
    }),
  )
}

const makeBlock = (index: number, width: number): Block => ({
  index,
  signature: `toy ${width}`,
  linears: [
    { name: "up", path: `blocks.${index}.up`, shape: [width, dimension] },
    { name: "down", path: `blocks.${index}.down`, shape: [dimension, width] },
  ],
  parameters: (all) => ({ ...(all as ToyParameters<unknown>).blocks[index] }),
  replace: (all, own) => {
    const { blocks, ...rest } = all as ToyParameters<unknown>
    return { ...rest, blocks: blocks.map((block, i) => (i === index ? own : block)) }
  },
  forward: (own, hidden, observe) => {
    observe?.("up", hidden)
    const inner = Tensor.relu(Tensor.matmul(hidden, Tensor.transpose(own["up"])))
    observe?.("down", inner)
    return Tensor.add(hidden, Tensor.matmul(inner, Tensor.transpose(own["down"])))
  },
})

const withParameters = (
  parameters: ToyParameters<HostArray.HostArray>,
  blocks: ReadonlyArray<Block>,
): CausalLM => ({
  family: "toy",
  vocabularySize: vocabulary,
  contextLength: 16,
  dimension,
  parameters,
  withParameters: (other) => withParameters(other as ToyParameters<HostArray.HostArray>, blocks),
  embed: (all, tokens) => Tensor.take((all as ToyParameters<Tensor.Tensor>).embedding, tokens),
  blocks,
  head: (all, hidden) =>
    Tensor.matmul(hidden, Tensor.transpose((all as ToyParameters<Tensor.Tensor>).embedding)),
  stateSpec: () => [],
  step: () => {
    throw new Error("a toy does not decode")
  },
})

/** A model small enough to be walked by hand, with one block for each width. */
export const toyModel = (widths: ReadonlyArray<number>): CausalLM => {
  const blocks = widths.map((width, i) => ({
    up: draw([width, dimension], 10 + i),
    down: draw([dimension, width], 20 + i),
  }))
  return withParameters(
    { embedding: draw([vocabulary, dimension], 1), blocks },
    widths.map((width, i) => makeBlock(i, width)),
  )
}

/** Windows of deterministic tokens. */
export const toyWindows = (count: number, length: number): ReadonlyArray<Int32Array> =>
  Array.from({ length: count }, (_, i) => {
    const { data } = draw([length], 100 + i)
    return Int32Array.from(data, (x) => Math.floor(((x + 1) / 2) * vocabulary))
  })

const rowsOf = ({ shape, data }: HostArray.HostArray): Matrix =>
  Array.from({ length: shape[0] }, (_, i) =>
    Array.from(data.slice(i * shape[1], (i + 1) * shape[1])),
  )

const apply = (matrix: Matrix, x: ReadonlyArray<number>) =>
  matrix.map((row) => row.reduce((sum, weight, i) => sum + weight * x[i], 0))

/**
 * Σ x² of each linear's inputs, block by block, in plain JavaScript: each block is seen with the
 * outputs of the blocks before it as `change` left them.
 */
export const walkByHand = (
  model: CausalLM,
  windows: ReadonlyArray<Int32Array>,
  change: (own: ToyBlock<HostArray.HostArray>) => ToyBlock<HostArray.HostArray>,
): ReadonlyArray<{ readonly up: Array<number>; readonly down: Array<number> }> => {
  const { embedding, blocks } = model.parameters as ToyParameters<HostArray.HostArray>
  const table = rowsOf(embedding)
  let states = windows.flatMap((window) => Array.from(window, (token) => table[token]))
  return blocks.map((block) => {
    const inner = (own: ToyBlock<HostArray.HostArray>, x: ReadonlyArray<number>) =>
      apply(rowsOf(own.up), x).map((value) => Math.max(value, 0))
    const squares = (rows: Matrix) =>
      rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i] ** 2, 0))
    const statistics = {
      up: squares(states),
      down: squares(states.map((x) => inner(block, x))),
    }
    const changed = change(block)
    states = states.map((x) => {
      const added = apply(rowsOf(changed.down), inner(changed, x))
      return x.map((value, i) => value + added[i])
    })
    return statistics
  })
}
