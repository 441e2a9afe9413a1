import { cachedAttention, fusedAttention, Initializers, Layers } from "@espalier/nn"
import type { Device, HostArray } from "@espalier/tensor"
import { DeviceArray, Program, Random, Spec, Tensor } from "@espalier/tensor"
import type { CompileError } from "@espalier/tensor"
import { Effect } from "effect"
import type { Block, CausalLM, FoldableInputs, NamedLinear, Observe } from "./causal_lm.ts"
import type { LlamaConfig } from "./llama_config.ts"
import { headDimension, keyValueDimension } from "./llama_config.ts"
import { rotaryFrequencies, rotaryTables } from "./llama_rotary.ts"
import type { LlamaBlockParameters, LlamaParameters } from "./llama_parameters.ts"
import { llamaParameterShapes, mapLlamaParameters } from "./llama_parameters.ts"

type T = Tensor.Tensor
type Own = LlamaBlockParameters<T>

/** A LLaMA-style decoder: RMSNorm, rotary embeddings, grouped-query attention, SwiGLU. */
export interface Llama extends CausalLM {
  readonly family: "llama"
  readonly config: LlamaConfig
  readonly parameters: LlamaParameters<HostArray.HostArray>
}

const linearNames = ["query", "key", "value", "output", "gate", "up", "down"] as const

const ignore: Observe = () => {}

const feedForward = (own: Own, hidden: T, epsilon: number, observe: Observe): T => {
  const x = Layers.rmsNorm(hidden, own.feedForwardNorm, epsilon)
  observe("gate", x)
  observe("up", x)
  const inner = Layers.gatedActivation(Layers.linear(x, own.gate), Layers.linear(x, own.up))
  observe("down", inner)
  return Tensor.add(hidden, Layers.linear(inner, own.down))
}

/** Cosines and sines of the first `length` positions, [length, width] each. */
const tablesOf = (config: LlamaConfig, length: number) => {
  const { ropeTheta, ropeScaling } = config
  return rotaryTables(length, rotaryFrequencies(headDimension(config), ropeTheta, ropeScaling))
}

const project = (x: T, weight: T, bias: T | undefined): T =>
  bias === undefined ? Layers.linear(x, weight) : Tensor.add(Layers.linear(x, weight), bias)

const blockForward = (config: LlamaConfig, own: Own, hidden: T, observe: Observe): T => {
  const { heads, keyValueHeads, normEpsilon } = config
  const [batch, length] = hidden.shape
  const x = Layers.rmsNorm(hidden, own.attentionNorm, normEpsilon)
  for (const name of ["query", "key", "value"]) observe(name, x)
  const width = headDimension(config)
  const tables = tablesOf(config, length)
  const overHeads = (table: HostArray.HostArray) =>
    Tensor.reshape(Tensor.fromHost(table), [length, 1, width])
  const [cosine, sine] = [overHeads(tables.cosine), overHeads(tables.sine)]
  /** [batch, length, heads, width]. */
  const perHead = (weight: T, bias: T | undefined, count: number) =>
    Tensor.reshape(project(x, weight, bias), [batch, length, count, width])
  const attended = fusedAttention(
    Layers.rotate(perHead(own.query, own.queryBias, heads), cosine, sine),
    Layers.rotate(perHead(own.key, own.keyBias, keyValueHeads), cosine, sine),
    perHead(own.value, own.valueBias, keyValueHeads),
    { causal: true },
  )
  const joined = Tensor.reshape(attended, [batch, length, heads * width])
  observe("output", joined)
  const afterAttention = Tensor.add(hidden, Layers.linear(joined, own.output))
  return feedForward(own, afterAttention, normEpsilon, observe)
}

type Cache = { readonly key: T; readonly value: T }

/** One token through one block; the cache holds rotated keys, [context, keyValueHeads · width]. */
const blockStep = (
  config: LlamaConfig,
  own: Own,
  hidden: T,
  cache: Cache,
  position: T,
  tables: { readonly cosine: T; readonly sine: T },
): { readonly hidden: T; readonly cache: Cache } => {
  const { heads, keyValueHeads, normEpsilon } = config
  const width = headDimension(config)
  const x = Layers.rmsNorm(hidden, own.attentionNorm, normEpsilon)
  const turn = (y: T, count: number) =>
    Layers.rotate(Tensor.reshape(y, [count, width]), tables.cosine, tables.sine)
  const query = turn(project(x, own.query, own.queryBias), heads)
  const key = Tensor.reshape(turn(project(x, own.key, own.keyBias), keyValueHeads), [1, -1])
  const row = Tensor.reshape(position, [1])
  const keys = Tensor.updateRows(cache.key, row, key)
  const value = project(x, own.value, own.valueBias)
  const values = Tensor.updateRows(cache.value, row, value)
  const attended = cachedAttention(query, keys, values, position)
  const joined = Tensor.reshape(attended, [1, heads * width])
  const afterAttention = Tensor.add(hidden, Layers.linear(joined, own.output))
  return {
    hidden: feedForward(own, afterAttention, normEpsilon, ignore),
    cache: { key: keys, value: values },
  }
}

/** What precedes each linear, where it scales the linear's inputs one by one. */
const foldableInputs = (config: LlamaConfig): ReadonlyArray<FoldableInputs> => [
  { linears: ["query", "key", "value"], into: ["attentionNorm"] },
  // Otherwise several heads of the input come from one row of `value`.
  ...(config.heads === config.keyValueHeads
    ? [{ linears: ["output"], into: ["value", ...(config.attentionBias ? ["valueBias"] : [])] }]
    : []),
  { linears: ["gate", "up"], into: ["feedForwardNorm"] },
  { linears: ["down"], into: ["up"] },
]

const makeBlock = (config: LlamaConfig, index: number): Block => {
  const shapes = llamaParameterShapes(config).blocks[index]
  const linears = linearNames.map((name): NamedLinear => ({
    name,
    path: `blocks.${index}.${name}`,
    shape: [shapes[name][0], shapes[name][1]],
  }))
  type All = LlamaParameters<unknown>
  return {
    index,
    linears,
    foldable: foldableInputs(config),
    signature: "llama",
    parameters: (all) => ({ ...(all as All).blocks[index] }),
    replace: (all, own) => ({
      ...(all as All),
      blocks: (all as All).blocks.map((block, i) => (i === index ? own : block)),
    }),
    forward: (own, hidden, observe = ignore) =>
      blockForward(config, own as Readonly<Record<keyof Own, T>>, hidden, observe),
  }
}

/**
 * A decoder with these sizes and weights.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 * import { Result } from "effect"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const parameters = await initializeLlama(config, 0).pipe(Effect.provide(Interpreter.layer), Effect.runPromise)
 * const model = makeLlama(config, parameters)
 * ```
 */
export const makeLlama = (
  config: LlamaConfig,
  parameters: LlamaParameters<HostArray.HostArray>,
): Llama => {
  const head = (tree: unknown, hidden: T): T => {
    const all = tree as LlamaParameters<T>
    const x = Layers.rmsNorm(hidden, all.norm, config.normEpsilon)
    return Layers.linear(x, all.head ?? all.embedding)
  }
  return {
    family: "llama",
    config,
    vocabularySize: config.vocabularySize,
    contextLength: config.contextLength,
    dimension: config.dimension,
    parameters,
    withParameters: (other) => makeLlama(config, other as LlamaParameters<HostArray.HostArray>),
    embed: (tree, tokens) => Tensor.take((tree as LlamaParameters<T>).embedding, tokens),
    blocks: Array.from({ length: config.layers }, (_, index) => makeBlock(config, index)),
    head,
    stateSpec: (maxContext) =>
      Array.from({ length: config.layers }, () => ({
        key: Spec.f32([maxContext, keyValueDimension(config)]),
        value: Spec.f32([maxContext, keyValueDimension(config)]),
      })),
    step: (tree, state, token, position) => {
      const all = tree as LlamaParameters<T>
      const caches = state as ReadonlyArray<Cache>
      const context = caches[0].key.shape[0]
      const full = tablesOf(config, context)
      const at = Tensor.reshape(position, [1])
      const tables = {
        cosine: Tensor.take(Tensor.fromHost(full.cosine), at),
        sine: Tensor.take(Tensor.fromHost(full.sine), at),
      }
      let hidden = Tensor.take(all.embedding, Tensor.reshape(token, [1]))
      const next = caches.map((cache, i) => {
        const done = blockStep(config, all.blocks[i], hidden, cache, position, tables)
        hidden = done.hidden
        return done.cache
      })
      return { logits: Tensor.reshape(head(tree, hidden), [config.vocabularySize]), state: next }
    },
  }
}

/**
 * Fresh weights from a seed, made on the current device: gains 1, biases 0, matrices normal with deviation
 * 1/√inputs, the two matrices that write into the residual stream scaled by 1/√(2 · layers) (Radford
 * et al. 2019). Embedding and head have deviation `embeddingScale`/√dimension, 0.5 by default: 0.018 at
 * 768, about GPT-2's. Texts of few, regular words are learnt in fewer steps where a token outweighs what
 * the first blocks add to it: 3.2 for those of a small grammar.
 */
export const initializeLlama = (
  config: LlamaConfig,
  seed: number,
  { embeddingScale = 0.5 }: { readonly embeddingScale?: number } = {},
): Effect.Effect<LlamaParameters<HostArray.HostArray>, Program.RunError | CompileError, Device> => {
  const root = Random.key(seed)
  const residual = 1 / Math.sqrt(2 * config.layers)
  const embedding = Initializers.normal(embeddingScale / Math.sqrt(config.dimension))
  const build = () =>
    mapLlamaParameters(llamaParameterShapes(config), (shape, name) => {
      if (shape.length === 1) {
        return Initializers.constant(name.endsWith("Bias") ? 0 : 1)(root, shape)
      }
      const stream = Random.fold(root, name)
      if (name === "embedding" || name === "head") return embedding(stream, shape)
      const matrix = Initializers.lecunNormal(stream, shape)
      const writes = name.endsWith(".output") || name.endsWith(".down")
      return writes ? Tensor.mul(matrix, residual) : matrix
    })
  return Program.evaluate(build).pipe(
    Effect.flatMap((arrays) => DeviceArray.toHostTree(arrays)),
    Effect.scoped,
  )
}
