import { Layers } from "@espalier/nn"
import type { HostArray } from "@espalier/tensor"
import { Spec, Tensor } from "@espalier/tensor"
import type { CausalLM } from "./causal_lm.ts"
import { affine, makeLearnedPositionDecoder, norm } from "./learned_position_decoder.ts"
import type { OptConfig } from "./opt_config.ts"

type T = Tensor.Tensor

/**
 * The weights of one block of OPT. With dimension `d` and hidden width `h`; matrices are (out × in), so
 * that `y = W x + b`.
 */
export interface OptBlockParameters<A> {
  /** The layer norm of the attention: gain and bias, [d]. */
  readonly attentionNorm: A
  readonly attentionNormBias: A
  /** [d, d] and [d], likewise the next three pairs. */
  readonly query: A
  readonly queryBias: A
  readonly key: A
  readonly keyBias: A
  readonly value: A
  readonly valueBias: A
  readonly output: A
  readonly outputBias: A
  /** The layer norm of the feed-forward network: gain and bias, [d]. */
  readonly feedForwardNorm: A
  readonly feedForwardNormBias: A
  /** [h, d] and [h] */
  readonly up: A
  readonly upBias: A
  /** [d, h] and [d] */
  readonly down: A
  readonly downBias: A
}

/**
 * All weights of an OPT-style decoder with vocabulary `V`, context `n`, dimension `d` and embeddings of
 * width `e`, mostly `d`.
 */
export interface OptParameters<A> {
  /** [V, e] */
  readonly embedding: A
  /** [n + 2, d]: the first two rows belong to no token. */
  readonly positions: A
  /** [d, e] and [e, d]: to the dimension and back, where `e` is another. */
  readonly projectIn?: A
  readonly projectOut?: A
  readonly blocks: ReadonlyArray<OptBlockParameters<A>>
  /** Layer norm before the head, where there is one: gain and bias, [d]. */
  readonly norm?: A
  readonly normBias?: A
  /** [V, e]; absent where the embedding serves as the head. */
  readonly head?: A
}

/** An OPT-style decoder: layer norm, learned positions, separate query, key and value. */
export interface Opt extends CausalLM {
  readonly family: "opt"
  readonly config: OptConfig
  readonly parameters: OptParameters<HostArray.HostArray>
}

/** Rows of the table of positions before that of the first token. */
const positionOffset = 2

/**
 * The shape of every parameter of a model with these sizes.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeOptConfig({
 *     dimension: 8,
 *     hiddenDimension: 32,
 *     layers: 2,
 *     heads: 2,
 *     vocabularySize: 16,
 *     contextLength: 8,
 *   }),
 * )
 * optParameterSpecs(config).positions.shape // 10, 8
 * ```
 */
export const optParameterSpecs = (config: OptConfig): OptParameters<Spec> => {
  const { dimension: d, hiddenDimension: h, vocabularySize, contextLength, normBefore } = config
  const { embeddingDimension: e = d, finalNorm = normBefore } = config
  const [vector, square] = [Spec.f32([d]), Spec.f32([d, d])]
  const block: OptBlockParameters<Spec> = {
    attentionNorm: vector,
    attentionNormBias: vector,
    query: square,
    queryBias: vector,
    key: square,
    keyBias: vector,
    value: square,
    valueBias: vector,
    output: square,
    outputBias: vector,
    feedForwardNorm: vector,
    feedForwardNormBias: vector,
    up: Spec.f32([h, d]),
    upBias: Spec.f32([h]),
    down: Spec.f32([d, h]),
    downBias: vector,
  }
  return {
    embedding: Spec.f32([vocabularySize, e]),
    positions: Spec.f32([contextLength + positionOffset, d]),
    ...(e === d ? {} : { projectIn: Spec.f32([d, e]), projectOut: Spec.f32([e, d]) }),
    blocks: Array.from({ length: config.layers }, () => block),
    ...(finalNorm ? { norm: vector, normBias: vector } : {}),
    ...(config.tiedEmbeddings ? {} : { head: Spec.f32([vocabularySize, e]) }),
  }
}

/**
 * A decoder with these sizes and weights.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeOptConfig({
 *     dimension: 8,
 *     hiddenDimension: 32,
 *     layers: 2,
 *     heads: 2,
 *     vocabularySize: 16,
 *     contextLength: 8,
 *   }),
 * )
 * const zeros = Tree.map(optParameterSpecs(config), ({ shape }: Spec) => HostArray.zeros(shape))
 * const model = makeOpt(config, zeros)
 * model.blocks[1].linears.map(({ path }) => path) // blocks.1.query, blocks.1.key, …
 * ```
 */
export const makeOpt = (config: OptConfig, parameters: OptParameters<HostArray.HostArray>): Opt => {
  // Every OPT has the same, and its configuration does not say it.
  const normEpsilon = 1e-5
  const decoder = makeLearnedPositionDecoder({
    ...config,
    family: "opt",
    normEpsilon,
    positionOffset,
    attentionInputs: ["query", "key", "value"],
    block: { ...optParameterSpecs({ ...config, layers: 1 }).blocks[0] },
    project: (own, x) => [affine(own, "query", x), affine(own, "key", x), affine(own, "value", x)],
    embed: (tree, tokens, positions) => {
      const all = tree as OptParameters<T>
      const embedded = Tensor.take(all.embedding, tokens)
      const { projectIn } = all
      const widened = projectIn === undefined ? embedded : Layers.linear(embedded, projectIn)
      return Tensor.add(widened, positions(all.positions))
    },
    head: (tree, hidden) => {
      const { projectOut, embedding, head = embedding, ...all } = tree as OptParameters<T>
      const normal =
        all.norm === undefined || all.normBias === undefined
          ? hidden
          : norm({ norm: all.norm, normBias: all.normBias }, "norm", hidden, normEpsilon)
      const narrowed = projectOut === undefined ? normal : Layers.linear(normal, projectOut)
      return Layers.linear(narrowed, head)
    },
  })
  return {
    ...decoder,
    family: "opt",
    config,
    parameters,
    withParameters: (other) => makeOpt(config, other as OptParameters<HostArray.HostArray>),
  }
}
