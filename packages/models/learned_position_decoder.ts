import { cachedAttention, fusedAttention, Layers } from "@espalier/nn"
import { Spec, Tensor } from "@espalier/tensor"
import { Schema } from "effect"
import type { Block, CausalLM, FoldableInputs, NamedLinear, Observe, Tree } from "./causal_lm.ts"

// What GPT-2 and OPT share: learned positions, layer norm, biased linears, a two-layer network.

type T = Tensor.Tensor
type Own = Readonly<Record<string, T>>

/**
 * The function between the two linears of the feed-forward network: max(x, 0), x · Φ(x), or the
 * latter's approximation ½x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks & Gimpel 2016).
 */
export const Activation = Schema.Literals(["relu", "gelu", "gelu_tanh"])
export type Activation = typeof Activation.Type

const activations: Readonly<Record<Activation, (x: T) => T>> = {
  relu: Tensor.relu,
  gelu: Tensor.gelu,
  gelu_tanh: (x) => {
    const cubic = Tensor.add(x, Tensor.mul(Tensor.mul(Tensor.square(x), x), 0.044715))
    const bounded = Tensor.tanh(Tensor.mul(cubic, Math.sqrt(2 / Math.PI)))
    return Tensor.mul(Tensor.mul(x, 0.5), Tensor.add(bounded, 1))
  },
}

/** (x − mean) / √(variance + ε) · gain + bias over the last axis (Ba et al. 2016). */
const layerNorm = (x: T, gain: T, bias: T, epsilon: number): T => {
  const centred = Tensor.sub(x, Tensor.mean(x, [-1], { keepDims: true }))
  const variance = Tensor.mean(Tensor.square(centred), [-1], { keepDims: true })
  const normal = Tensor.mul(centred, Tensor.rsqrt(Tensor.add(variance, epsilon)))
  return Tensor.add(Tensor.mul(normal, gain), bias)
}

/** `y = W x + b` with the weight and the bias of this name. */
export const affine = (own: Own, name: string, x: T): T =>
  Tensor.add(Layers.linear(x, own[name]), own[`${name}Bias`])

/** Layer norm with the gain and the bias of this name. */
export const norm = (own: Own, name: string, x: T, epsilon: number): T =>
  layerNorm(x, own[name], own[`${name}Bias`], epsilon)

/** What distinguishes one such decoder from another. */
export interface Anatomy {
  readonly family: string
  readonly dimension: number
  readonly layers: number
  readonly heads: number
  readonly vocabularySize: number
  readonly contextLength: number
  readonly activation: Activation
  readonly normEpsilon: number
  /** Norms before attention and network, or after the addition to what went around them. */
  readonly normBefore: boolean
  /** The linears that read the attention's input, and what they give as query, key and value. */
  readonly attentionInputs: ReadonlyArray<string>
  readonly project: (own: Own, x: T) => readonly [query: T, key: T, value: T]
  /** The specs of one block's parameters; linears are matrices. */
  readonly block: Readonly<Record<string, Spec>>
  /** Embeds tokens of any shape; `positions` takes rows from the table of positions. */
  readonly embed: (parameters: Tree, tokens: T, positions: (table: T) => T) => T
  /** Row of the table of positions that the first token has. */
  readonly positionOffset: number
  readonly head: (parameters: Tree, hidden: T) => T
}

const ignore: Observe = () => {}

/** A block; `attend` maps query, key and value [..., dimension] to [..., dimension]. */
const through = (
  anatomy: Anatomy,
  own: Own,
  hidden: T,
  attend: (query: T, key: T, value: T) => T,
  observe: Observe,
): T => {
  const { normBefore, normEpsilon, attentionInputs, project, activation } = anatomy
  const around = (x: T, normName: string, inner: (x: T) => T) =>
    normBefore
      ? Tensor.add(x, inner(norm(own, normName, x, normEpsilon)))
      : norm(own, normName, Tensor.add(x, inner(x)), normEpsilon)
  const afterAttention = around(hidden, "attentionNorm", (x) => {
    for (const name of attentionInputs) observe(name, x)
    const joined = attend(...project(own, x))
    observe("output", joined)
    return affine(own, "output", joined)
  })
  return around(afterAttention, "feedForwardNorm", (x) => {
    observe("up", x)
    const inner = activations[activation](affine(own, "up", x))
    observe("down", inner)
    return affine(own, "down", inner)
  })
}

const blockForward = (anatomy: Anatomy, own: Own, hidden: T, observe: Observe): T => {
  const { heads } = anatomy
  const [batch, length, dimension] = hidden.shape
  const perHead = (x: T) => Tensor.reshape(x, [batch, length, heads, dimension / heads])
  const attend = (query: T, key: T, value: T) => {
    const options = { causal: true }
    const attended = fusedAttention(perHead(query), perHead(key), perHead(value), options)
    return Tensor.reshape(attended, hidden.shape)
  }
  return through(anatomy, own, hidden, attend, observe)
}

type Cache = { readonly key: T; readonly value: T }

/** One token through one block; the cache holds keys and values [context, dimension]. */
const blockStep = (
  anatomy: Anatomy,
  own: Own,
  hidden: T,
  cache: Cache,
  position: T,
): { readonly hidden: T; readonly cache: Cache } => {
  const { heads, dimension } = anatomy
  const row = Tensor.reshape(position, [1])
  let next = cache
  const attend = (query: T, key: T, value: T) => {
    next = {
      key: Tensor.updateRows(cache.key, row, key),
      value: Tensor.updateRows(cache.value, row, value),
    }
    const perHead = Tensor.reshape(query, [heads, dimension / heads])
    const attended = cachedAttention(perHead, next.key, next.value, position)
    return Tensor.reshape(attended, [1, dimension])
  }
  const after = through(anatomy, own, hidden, attend, ignore)
  return { hidden: after, cache: next }
}

type Blocks<A> = { readonly blocks: ReadonlyArray<Readonly<Record<string, A>>> }

/** What precedes each linear, where it scales the linear's inputs one by one. */
const foldableInputs = (anatomy: Anatomy): ReadonlyArray<FoldableInputs> => {
  const { normBefore, attentionInputs, activation } = anatomy
  const afterNorm = (linears: ReadonlyArray<string>, normName: string): FoldableInputs => ({
    linears,
    into: [normName, `${normName}Bias`],
  })
  return [
    ...(normBefore ? [afterNorm(attentionInputs, "attentionNorm")] : []),
    ...(attentionInputs.includes("value")
      ? [{ linears: ["output"], into: ["value", "valueBias"] }]
      : []),
    ...(normBefore ? [afterNorm(["up"], "feedForwardNorm")] : []),
    // max(x, 0) / s = max(x / s, 0).
    ...(activation === "relu" ? [{ linears: ["down"], into: ["up", "upBias"] }] : []),
  ]
}

const makeBlock = (anatomy: Anatomy, index: number): Block => {
  const names = [...anatomy.attentionInputs, "output", "up", "down"]
  const linears = names.map((name): NamedLinear => {
    const [outputs, inputs] = anatomy.block[name].shape
    return { name, path: `blocks.${index}.${name}`, shape: [outputs, inputs] }
  })
  return {
    index,
    linears,
    foldable: foldableInputs(anatomy),
    signature: anatomy.family,
    parameters: (all) => ({ ...(all as Blocks<unknown>).blocks[index] }),
    replace: (all, own) => ({
      ...(all as Blocks<unknown>),
      blocks: (all as Blocks<unknown>).blocks.map((block, i) => (i === index ? own : block)),
    }),
    forward: (own, hidden, observe = ignore) => blockForward(anatomy, own, hidden, observe),
  }
}

/** Everything of such a decoder but its parameters. */
export const makeLearnedPositionDecoder = (
  anatomy: Anatomy,
): Omit<CausalLM, "family" | "parameters" | "withParameters"> => {
  const { layers, dimension, vocabularySize, contextLength, positionOffset, embed, head } = anatomy
  return {
    vocabularySize,
    contextLength,
    dimension,
    embed: (tree, tokens) => {
      const length = tokens.shape[1]
      const rows = (table: T) => Tensor.sliceAxis(table, 0, positionOffset, positionOffset + length)
      return embed(tree, tokens, rows)
    },
    blocks: Array.from({ length: layers }, (_, index) => makeBlock(anatomy, index)),
    head,
    stateSpec: (maxContext) =>
      Array.from({ length: layers }, () => ({
        key: Spec.f32([maxContext, dimension]),
        value: Spec.f32([maxContext, dimension]),
      })),
    step: (tree, state, token, position) => {
      const { blocks } = tree as Blocks<T>
      const at = Tensor.reshape(Tensor.add(position, positionOffset), [1])
      let hidden = embed(tree, Tensor.reshape(token, [1]), (table) => Tensor.take(table, at))
      const next = (state as ReadonlyArray<Cache>).map((cache, i) => {
        const done = blockStep(anatomy, blocks[i], hidden, cache, position)
        hidden = done.hidden
        return done.cache
      })
      return { logits: Tensor.reshape(head(tree, hidden), [vocabularySize]), state: next }
    },
  }
}
