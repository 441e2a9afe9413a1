import type { Spec } from "@espalier/tensor"
import { Tree } from "@espalier/tensor"
import { gpt2ParameterSpecs, makeGpt2 } from "../gpt2.ts"
import type { Gpt2 } from "../gpt2.ts"
import type { LlamaConfig } from "../llama_config.ts"
import { makeLlama } from "../llama.ts"
import type { Llama } from "../llama.ts"
import { llamaParameterShapes, mapLlamaParameters } from "../llama_parameters.ts"
import { makeOpt, optParameterSpecs } from "../opt.ts"
import type { Opt } from "../opt.ts"
import type { Arrangement } from "./arrangement.ts"
import type { HuggingFaceConfiguration, HuggingFaceModel } from "./model.ts"

/** A parameter and its place in Hugging Face files. */
export interface PlacedParameter {
  readonly shape: ReadonlyArray<number>
  readonly dtype: "f32"
  /** The name in the files, without what may stand before all names. */
  readonly name: string
  /** True where the name never has anything before it. */
  readonly bare: boolean
  readonly arrangement: Arrangement
}

/** How a model's parameters lie in Hugging Face files. */
export interface Layout {
  /** The tree of parameters, with a {@link PlacedParameter} for each. */
  readonly parameters: unknown
  /** What may stand before the names: first transformers' own, then what other files have. */
  readonly prefixes: ReadonlyArray<string>
  /** Tensors that are there and carry nothing that is learned. */
  readonly ignored: RegExp
  readonly make: (parameters: unknown) => HuggingFaceModel
}

const plain: Arrangement = { kind: "plain" }

interface Naming {
  /** The names outside the blocks. */
  readonly outside: Readonly<Record<string, string>>
  /** What stands before the names of block `i`. */
  readonly block: (i: string) => string
  /** The names within a block. */
  readonly inside: Readonly<Record<string, string>>
  readonly arrangement?: (field: string) => Arrangement
}

/** The place of a parameter by its path in the tree, such as `norm` or `blocks.0.query`. */
const placer =
  ({ outside, block, inside, arrangement }: Naming) =>
  (shape: ReadonlyArray<number>, path: string): PlacedParameter => {
    const [, index, field] = path.split(".")
    if (field === undefined) {
      const bare = path === "head"
      const name = bare ? "lm_head.weight" : outside[path]
      return { shape, dtype: "f32", name, bare, arrangement: plain }
    }
    const name = block(index) + inside[field]
    return { shape, dtype: "f32", name, bare: false, arrangement: arrangement?.(field) ?? plain }
  }

/** Weight and bias of each layer: ours by `norm` and `normBias`, theirs by `.weight` and `.bias`. */
const withBiases = (layers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(layers).flatMap(([ours, theirs]) => [
      [ours, `${theirs}.weight`],
      [`${ours}Bias`, `${theirs}.bias`],
    ]),
  )

const llamaLayout = (config: LlamaConfig): Layout => {
  const halfSplit = (heads: number): Arrangement => ({ kind: "half-split", heads })
  const place = placer({
    outside: { embedding: "embed_tokens.weight", norm: "norm.weight" },
    block: (i) => `layers.${i}.`,
    inside: withBiases({
      attentionNorm: "input_layernorm",
      query: "self_attn.q_proj",
      key: "self_attn.k_proj",
      value: "self_attn.v_proj",
      output: "self_attn.o_proj",
      feedForwardNorm: "post_attention_layernorm",
      gate: "mlp.gate_proj",
      up: "mlp.up_proj",
      down: "mlp.down_proj",
    }),
    arrangement: (field) =>
      field.startsWith("query")
        ? halfSplit(config.heads)
        : field.startsWith("key")
          ? halfSplit(config.keyValueHeads)
          : plain,
  })
  return {
    parameters: mapLlamaParameters(llamaParameterShapes(config), place),
    prefixes: ["model.", ""],
    ignored: /(^lm_head\.weight|rotary_emb\.inv_freq)$/,
    make: (parameters) => makeLlama(config, parameters as Llama["parameters"]),
  }
}

const gpt2Layout = (config: Gpt2["config"]): Layout => {
  const linears = {
    qkv: "attn.c_attn",
    output: "attn.c_proj",
    up: "mlp.c_fc",
    down: "mlp.c_proj",
  }
  const place = placer({
    outside: {
      embedding: "wte.weight",
      positions: "wpe.weight",
      ...withBiases({ norm: "ln_f" }),
    },
    block: (i) => `h.${i}.`,
    inside: withBiases({ attentionNorm: "ln_1", feedForwardNorm: "ln_2", ...linears }),
    // The linears are `Conv1D` layers, which keep their weights (in × out).
    arrangement: (field) => (field in linears ? { kind: "transposed" } : plain),
  })
  return {
    parameters: Tree.map(gpt2ParameterSpecs(config), ({ shape }: Spec, path) => place(shape, path)),
    prefixes: ["transformer.", ""],
    ignored: /(^lm_head\.weight|\.attn\.(masked_)?bias)$/,
    make: (parameters) => makeGpt2(config, parameters as Gpt2["parameters"]),
  }
}

const optLayout = (config: Opt["config"]): Layout => {
  const place = placer({
    outside: {
      embedding: "embed_tokens.weight",
      positions: "embed_positions.weight",
      projectIn: "project_in.weight",
      projectOut: "project_out.weight",
      ...withBiases({ norm: "final_layer_norm" }),
    },
    block: (i) => `layers.${i}.`,
    inside: withBiases({
      attentionNorm: "self_attn_layer_norm",
      query: "self_attn.q_proj",
      key: "self_attn.k_proj",
      value: "self_attn.v_proj",
      output: "self_attn.out_proj",
      feedForwardNorm: "final_layer_norm",
      up: "fc1",
      down: "fc2",
    }),
  })
  return {
    parameters: Tree.map(optParameterSpecs(config), ({ shape }: Spec, path) => place(shape, path)),
    prefixes: ["model.decoder.", "decoder.", ""],
    ignored: /^lm_head\.weight$/,
    make: (parameters) => makeOpt(config, parameters as Opt["parameters"]),
  }
}

/** The layout of a model with this family and these sizes. */
export const layoutOf = (configuration: HuggingFaceConfiguration): Layout =>
  configuration.family === "llama"
    ? llamaLayout(configuration.config)
    : configuration.family === "gpt2"
      ? gpt2Layout(configuration.config)
      : optLayout(configuration.config)
