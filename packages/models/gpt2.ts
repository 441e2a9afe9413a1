import { Layers } from "@espalier/nn"
import type { HostArray } from "@espalier/tensor"
import { Spec, Tensor } from "@espalier/tensor"
import type { CausalLM } from "./causal_lm.ts"
import type { Gpt2Config } from "./gpt2_config.ts"
import { affine, makeLearnedPositionDecoder, norm } from "./learned_position_decoder.ts"

type T = Tensor.Tensor

/**
 * The weights of one block of GPT-2. With dimension `d` and hidden width `h`; matrices are (out × in),
 * so that `y = W x + b`.
 */
export interface Gpt2BlockParameters<A> {
  /** Layer norm before attention: gain and bias, [d]. */
  readonly attentionNorm: A
  readonly attentionNormBias: A
  /** Query, key and value one below the other, [3d, d] and [3d]. */
  readonly qkv: A
  readonly qkvBias: A
  /** [d, d] and [d] */
  readonly output: A
  readonly outputBias: A
  /** Layer norm before the feed-forward network: gain and bias, [d]. */
  readonly feedForwardNorm: A
  readonly feedForwardNormBias: A
  /** [h, d] and [h] */
  readonly up: A
  readonly upBias: A
  /** [d, h] and [d] */
  readonly down: A
  readonly downBias: A
}

/** All weights of a GPT-2-style decoder with vocabulary `V`, context `n` and dimension `d`. */
export interface Gpt2Parameters<A> {
  /** [V, d] */
  readonly embedding: A
  /** [n, d] */
  readonly positions: A
  readonly blocks: ReadonlyArray<Gpt2BlockParameters<A>>
  /** Layer norm before the head: gain and bias, [d]. */
  readonly norm: A
  readonly normBias: A
  /** [V, d]; absent where the embedding serves as the head. */
  readonly head?: A
}

/** A GPT-2-style decoder: layer norm, learned positions, one linear for query, key and value. */
export interface Gpt2 extends CausalLM {
  readonly family: "gpt2"
  readonly config: Gpt2Config
  readonly parameters: Gpt2Parameters<HostArray.HostArray>
}

/**
 * The shape of every parameter of a model with these sizes.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeGpt2Config({
 *     dimension: 8,
 *     hiddenDimension: 32,
 *     layers: 2,
 *     heads: 2,
 *     vocabularySize: 16,
 *     contextLength: 8,
 *   }),
 * )
 * gpt2ParameterSpecs(config).blocks[0].qkv.shape // 24, 8
 * ```
 */
export const gpt2ParameterSpecs = (config: Gpt2Config): Gpt2Parameters<Spec> => {
  const { dimension: d, hiddenDimension: h, vocabularySize, contextLength } = config
  const block: Gpt2BlockParameters<Spec> = {
    attentionNorm: Spec.f32([d]),
    attentionNormBias: Spec.f32([d]),
    qkv: Spec.f32([3 * d, d]),
    qkvBias: Spec.f32([3 * d]),
    output: Spec.f32([d, d]),
    outputBias: Spec.f32([d]),
    feedForwardNorm: Spec.f32([d]),
    feedForwardNormBias: Spec.f32([d]),
    up: Spec.f32([h, d]),
    upBias: Spec.f32([h]),
    down: Spec.f32([d, h]),
    downBias: Spec.f32([d]),
  }
  return {
    embedding: Spec.f32([vocabularySize, d]),
    positions: Spec.f32([contextLength, d]),
    blocks: Array.from({ length: config.layers }, () => block),
    norm: Spec.f32([d]),
    normBias: Spec.f32([d]),
    ...(config.tiedEmbeddings ? {} : { head: Spec.f32([vocabularySize, d]) }),
  }
}

/**
 * A decoder with these sizes and weights.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeGpt2Config({
 *     dimension: 8,
 *     hiddenDimension: 32,
 *     layers: 2,
 *     heads: 2,
 *     vocabularySize: 16,
 *     contextLength: 8,
 *   }),
 * )
 * const zeros = Tree.map(gpt2ParameterSpecs(config), ({ shape }: Spec) => HostArray.zeros(shape))
 * const model = makeGpt2(config, zeros)
 * model.blocks[1].linears.map(({ path }) => path) // blocks.1.qkv, blocks.1.output, …
 * ```
 */
export const makeGpt2 = (
  config: Gpt2Config,
  parameters: Gpt2Parameters<HostArray.HostArray>,
): Gpt2 => {
  const { dimension, normEpsilon } = config
  const decoder = makeLearnedPositionDecoder({
    ...config,
    family: "gpt2",
    normBefore: true,
    positionOffset: 0,
    attentionInputs: ["qkv"],
    block: { ...gpt2ParameterSpecs({ ...config, layers: 1 }).blocks[0] },
    project: (own, x) => {
      const joined = affine(own, "qkv", x)
      const axis = joined.shape.length - 1
      const part = (i: number) => Tensor.sliceAxis(joined, axis, i * dimension, (i + 1) * dimension)
      return [part(0), part(1), part(2)]
    },
    embed: (tree, tokens, positions) => {
      const all = tree as Gpt2Parameters<T>
      return Tensor.add(Tensor.take(all.embedding, tokens), positions(all.positions))
    },
    head: (tree, hidden) => {
      const all = tree as Gpt2Parameters<T>
      const own = { norm: all.norm, normBias: all.normBias }
      return Layers.linear(norm(own, "norm", hidden, normEpsilon), all.head ?? all.embedding)
    },
  })
  return {
    ...decoder,
    family: "gpt2",
    config,
    parameters,
    withParameters: (other) => makeGpt2(config, other as Gpt2Parameters<HostArray.HostArray>),
  }
}
