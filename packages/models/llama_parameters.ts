import type { LlamaConfig } from "./llama_config.ts"
import { keyValueDimension, queryDimension } from "./llama_config.ts"

/**
 * The weights of one decoder block. With dimension `d`, query width `q` (mostly `d`), key-value width
 * `k` and hidden width `h`; matrices are (out × in), so that `y = W x`.
 *
 * Rows of `query` and `key` and their biases are in the interleaved rotary layout: within a head, rows `2i` and
 * `2i + 1` are one rotated pair.
 */
export interface LlamaBlockParameters<A> {
  /** RMSNorm gain before attention, [d]. */
  readonly attentionNorm: A
  /** [q, d] */
  readonly query: A
  /** [k, d] */
  readonly key: A
  /** [k, d] */
  readonly value: A
  /** [d, q] */
  readonly output: A
  /** [q]; this and the next two only where the configuration has `attentionBias`. */
  readonly queryBias?: A
  /** [k] */
  readonly keyBias?: A
  /** [k] */
  readonly valueBias?: A
  /** RMSNorm gain before the feed-forward network, [d]. */
  readonly feedForwardNorm: A
  /** `w1` of the SwiGLU network, the side under SiLU, [h, d]. */
  readonly gate: A
  /** `w3` of the SwiGLU network, [h, d]. */
  readonly up: A
  /** `w2` of the SwiGLU network, [d, h]. */
  readonly down: A
}

/**
 * All weights of a LLaMA-style decoder as a tree with leaves of any kind: host arrays, device arrays,
 * traced tensors, shapes, masks. With vocabulary `V` and dimension `d`.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeLlamaConfig({
 *     dimension: 8,
 *     hiddenDimension: 16,
 *     layers: 1,
 *     heads: 2,
 *     keyValueHeads: 1,
 *     vocabularySize: 10,
 *     contextLength: 4,
 *   }),
 * )
 * const shapes: LlamaParameters<ReadonlyArray<number>> = llamaParameterShapes(config)
 * shapes.blocks[0].key // [4, 8]
 * ```
 */
export interface LlamaParameters<A> {
  /** [V, d] */
  readonly embedding: A
  readonly blocks: ReadonlyArray<LlamaBlockParameters<A>>
  /** RMSNorm gain before the head, [d]. */
  readonly norm: A
  /** [V, d]; absent where the embedding serves as the head. */
  readonly head?: A
}

/** The shape of every parameter of a model with these sizes. */
export const llamaParameterShapes = (
  config: LlamaConfig,
): LlamaParameters<ReadonlyArray<number>> => {
  const { dimension: d, hiddenDimension: h, vocabularySize: v } = config
  const [q, k] = [queryDimension(config), keyValueDimension(config)]
  const block: LlamaBlockParameters<ReadonlyArray<number>> = {
    attentionNorm: [d],
    query: [q, d],
    key: [k, d],
    value: [k, d],
    output: [d, q],
    ...(config.attentionBias === true ? { queryBias: [q], keyBias: [k], valueBias: [k] } : {}),
    feedForwardNorm: [d],
    gate: [h, d],
    up: [h, d],
    down: [d, h],
  }
  return {
    embedding: [v, d],
    blocks: Array.from({ length: config.layers }, () => block),
    norm: [d],
    ...(config.tiedEmbeddings ? {} : { head: [v, d] }),
  }
}

const mapBlock = <A, B>(
  block: LlamaBlockParameters<A>,
  f: (leaf: A, name: string) => B,
): LlamaBlockParameters<B> => {
  const { queryBias, keyBias, valueBias } = block
  return {
    attentionNorm: f(block.attentionNorm, "attentionNorm"),
    query: f(block.query, "query"),
    key: f(block.key, "key"),
    value: f(block.value, "value"),
    output: f(block.output, "output"),
    ...(queryBias === undefined ? {} : { queryBias: f(queryBias, "queryBias") }),
    ...(keyBias === undefined ? {} : { keyBias: f(keyBias, "keyBias") }),
    ...(valueBias === undefined ? {} : { valueBias: f(valueBias, "valueBias") }),
    feedForwardNorm: f(block.feedForwardNorm, "feedForwardNorm"),
    gate: f(block.gate, "gate"),
    up: f(block.up, "up"),
    down: f(block.down, "down"),
  }
}

/**
 * Replaces every leaf; `name` is its path in the tree, such as `embedding` or `blocks.0.query`.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeLlamaConfig({
 *     dimension: 8,
 *     hiddenDimension: 16,
 *     layers: 1,
 *     heads: 2,
 *     keyValueHeads: 1,
 *     vocabularySize: 10,
 *     contextLength: 4,
 *   }),
 * )
 * const parameters = mapLlamaParameters(llamaParameterShapes(config), (shape) =>
 *   HostArray.make(shape, new Float32Array(shape.reduce((a, b) => a * b))),
 * )
 * ```
 */
export const mapLlamaParameters = <A, B>(
  parameters: LlamaParameters<A>,
  f: (leaf: A, name: string) => B,
): LlamaParameters<B> => ({
  embedding: f(parameters.embedding, "embedding"),
  blocks: parameters.blocks.map((block, i) =>
    mapBlock(block, (leaf, name) => f(leaf, `blocks.${i}.${name}`)),
  ),
  norm: f(parameters.norm, "norm"),
  ...(parameters.head === undefined ? {} : { head: f(parameters.head, "head") }),
})

/** Every leaf with its path, in the order of the tree. */
export const llamaParameterEntries = <A>(
  parameters: LlamaParameters<A>,
): ReadonlyArray<readonly [name: string, leaf: A]> => {
  const entries: Array<readonly [string, A]> = []
  mapLlamaParameters(parameters, (leaf, name) => entries.push([name, leaf]))
  return entries
}

/** How many numbers a model with these sizes has; a tied head is not counted twice. */
export const countLlamaParameters = (config: LlamaConfig): number =>
  llamaParameterEntries(llamaParameterShapes(config)).reduce(
    (total, [, shape]) => total + shape.reduce((product, extent) => product * extent, 1),
    0,
  )
