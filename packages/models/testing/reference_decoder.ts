import type { HostArray } from "@espalier/tensor"
import type { Gpt2Config } from "../gpt2_config.ts"
import type { LlamaConfig } from "../llama_config.ts"
import type { OptConfig } from "../opt_config.ts"

// The decoders once more, in plain numbers and loops, from tensors as transformers names and keeps
// them: a second opinion on the models and on their layout in files.

type Vector = ReadonlyArray<number>

/** Tensors by their Hugging Face names. */
export type Tensors = ReadonlyMap<string, HostArray.HostArray>

const dot = (a: Vector, b: Vector) => a.reduce((sum, value, i) => sum + value * b[i], 0)
const plus = (a: Vector, b: Vector): Vector => a.map((value, i) => value + b[i])
const times = (a: Vector, b: Vector): Vector => a.map((value, i) => value * b[i])
const sum = (a: Vector) => a.reduce((total, value) => total + value, 0)

/** The layers of transformers under one prefix. */
const layersOf = (tensors: Tensors, prefix: string) => {
  const find = (name: string) => tensors.get(prefix + name)
  const values = (name: string): Vector | undefined => {
    const found = find(name)
    return found === undefined ? undefined : Array.from(found.data)
  }
  const row = (name: string, i: number): Vector => {
    const { shape, data } = find(name)!
    return Array.from(data.slice(i * shape[1], (i + 1) * shape[1]))
  }
  const biased = (name: string, product: Vector): Vector => {
    const bias = values(`${name}.bias`)
    return bias === undefined ? product : plus(product, bias)
  }
  return {
    row,
    has: (name: string) => find(name) !== undefined,
    /** `nn.Linear`, or the identity where there is none. */
    linear: (name: string, x: Vector): Vector => {
      const weight = find(`${name}.weight`)
      if (weight === undefined) return x
      const rows = Array.from({ length: weight.shape[0] }, (_, i) => row(`${name}.weight`, i))
      return biased(
        name,
        rows.map((each) => dot(each, x)),
      )
    },
    /** `Conv1D`, whose weight is (in × out). */
    conv1d: (name: string, x: Vector): Vector => {
      const { shape, data } = find(`${name}.weight`)!
      const [inputs, outputs] = shape
      const product = Array.from({ length: outputs }, (_, j) =>
        sum(Array.from({ length: inputs }, (_, i) => x[i] * data[i * outputs + j])),
      )
      return biased(name, product)
    },
    layerNorm: (name: string, x: Vector, epsilon: number): Vector => {
      const mean = sum(x) / x.length
      const variance = sum(x.map((value) => (value - mean) ** 2)) / x.length
      const normal = x.map((value) => (value - mean) / Math.sqrt(variance + epsilon))
      return plus(times(normal, values(`${name}.weight`)!), values(`${name}.bias`)!)
    },
    rmsNorm: (name: string, x: Vector, epsilon: number): Vector => {
      const scale = 1 / Math.sqrt(dot(x, x) / x.length + epsilon)
      return times(
        x.map((value) => value * scale),
        values(`${name}.weight`)!,
      )
    },
  }
}

/** erf by its series, which converges everywhere. */
const erf = (x: number): number => {
  let [term, total] = [x, x]
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n
    total += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * total
}

const activate = {
  relu: (x: number) => Math.max(x, 0),
  gelu: (x: number) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  gelu_tanh: (x: number) =>
    (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
} as const

type Projected = readonly [query: Vector, key: Vector, value: Vector]

/** Attention of the last of these positions to all of them. */
const attendLast = (projected: ReadonlyArray<Projected>, heads: number, groups = heads) => {
  const [query] = projected.at(-1)!
  const width = query.length / heads
  return Array.from({ length: heads }, (_, head) => {
    const group = Math.floor(head / (heads / groups))
    const part = (x: Vector, i: number) => x.slice(i * width, (i + 1) * width)
    const scores = projected.map(([, key]) =>
      Math.exp(dot(part(query, head), part(key, group)) / Math.sqrt(width)),
    )
    return projected
      .map(([, , value], i): Vector => part(value, group).map((x) => (x * scores[i]) / sum(scores)))
      .reduce(plus)
  }).flat()
}

/** Logits of each position by a GPT-2. */
export const gpt2Logits = (
  config: Gpt2Config,
  tensors: Tensors,
  tokens: Int32Array,
): ReadonlyArray<number> => {
  const { dimension: d, heads, normEpsilon, activation } = config
  const outside = layersOf(tensors, "transformer.")
  let hidden = Array.from(tokens, (token, i) =>
    plus(outside.row("wte.weight", token), outside.row("wpe.weight", i)),
  )
  for (let i = 0; i < config.layers; i++) {
    const own = layersOf(tensors, `transformer.h.${i}.`)
    const projected = hidden.map((x): Projected => {
      const all = own.conv1d("attn.c_attn", own.layerNorm("ln_1", x, normEpsilon))
      return [all.slice(0, d), all.slice(d, 2 * d), all.slice(2 * d)]
    })
    hidden = hidden.map((x, at) => {
      const attended = attendLast(projected.slice(0, at + 1), heads)
      const middle = plus(x, own.conv1d("attn.c_proj", attended))
      const inner = own.conv1d("mlp.c_fc", own.layerNorm("ln_2", middle, normEpsilon))
      return plus(middle, own.conv1d("mlp.c_proj", inner.map(activate[activation])))
    })
  }
  const head = layersOf(tensors, config.tiedEmbeddings ? "transformer." : "")
  const name = config.tiedEmbeddings ? "wte" : "lm_head"
  return hidden.flatMap((x) => head.linear(name, outside.layerNorm("ln_f", x, normEpsilon)))
}

/** Logits of each position by an OPT. */
export const optLogits = (
  config: OptConfig,
  tensors: Tensors,
  tokens: Int32Array,
): ReadonlyArray<number> => {
  const { heads, activation, normBefore } = config
  const epsilon = 1e-5
  const outside = layersOf(tensors, "model.decoder.")
  let hidden = Array.from(tokens, (token, i) =>
    plus(
      outside.linear("project_in", outside.row("embed_tokens.weight", token)),
      outside.row("embed_positions.weight", i + 2),
    ),
  )
  for (let i = 0; i < config.layers; i++) {
    const own = layersOf(tensors, `model.decoder.layers.${i}.`)
    const before = (name: string, x: Vector) => (normBefore ? own.layerNorm(name, x, epsilon) : x)
    const after = (name: string, x: Vector) => (normBefore ? x : own.layerNorm(name, x, epsilon))
    const projected = hidden.map((x): Projected => {
      const normal = before("self_attn_layer_norm", x)
      return [
        own.linear("self_attn.q_proj", normal),
        own.linear("self_attn.k_proj", normal),
        own.linear("self_attn.v_proj", normal),
      ]
    })
    hidden = hidden.map((x, at) => {
      const attended = attendLast(projected.slice(0, at + 1), heads)
      const sum = plus(x, own.linear("self_attn.out_proj", attended))
      const middle = after("self_attn_layer_norm", sum)
      const inner = own.linear("fc1", before("final_layer_norm", middle))
      const outer = own.linear("fc2", inner.map(activate[activation]))
      return after("final_layer_norm", plus(middle, outer))
    })
  }
  const head = layersOf(tensors, config.tiedEmbeddings ? "model.decoder." : "")
  const name = config.tiedEmbeddings ? "embed_tokens" : "lm_head"
  return hidden.flatMap((x) => {
    const norm = "final_layer_norm"
    const normal = outside.has(`${norm}.weight`) ? outside.layerNorm(norm, x, epsilon) : x
    return head.linear(name, outside.linear("project_out", normal))
  })
}

/** Logits of each position by a LLaMA, Mistral or Qwen2, with these rotary frequencies of a head. */
export const llamaLogits = (
  config: LlamaConfig,
  frequencies: ReadonlyArray<number>,
  tensors: Tensors,
  tokens: Int32Array,
): ReadonlyArray<number> => {
  const { heads, keyValueHeads, normEpsilon } = config
  const half = frequencies.length
  /** Turns element i of each head with element i + half. */
  const rotated = (x: Vector, position: number): Vector =>
    x.map((value, i) => {
      const within = i % (2 * half)
      const angle = position * frequencies[within % half]
      const other = within < half ? -x[i + half] : x[i - half]
      return value * Math.cos(angle) + other * Math.sin(angle)
    })
  const outside = layersOf(tensors, "model.")
  let hidden = Array.from(tokens, (token) => outside.row("embed_tokens.weight", token))
  for (let i = 0; i < config.layers; i++) {
    const own = layersOf(tensors, `model.layers.${i}.`)
    const projected = hidden.map((x, position): Projected => {
      const normal = own.rmsNorm("input_layernorm", x, normEpsilon)
      return [
        rotated(own.linear("self_attn.q_proj", normal), position),
        rotated(own.linear("self_attn.k_proj", normal), position),
        own.linear("self_attn.v_proj", normal),
      ]
    })
    hidden = hidden.map((x, at) => {
      const attended = attendLast(projected.slice(0, at + 1), heads, keyValueHeads)
      const middle = plus(x, own.linear("self_attn.o_proj", attended))
      const normal = own.rmsNorm("post_attention_layernorm", middle, normEpsilon)
      const gate = own.linear("mlp.gate_proj", normal).map((g) => g / (1 + Math.exp(-g)))
      const inner = times(gate, own.linear("mlp.up_proj", normal))
      return plus(middle, own.linear("mlp.down_proj", inner))
    })
  }
  const head = layersOf(tensors, config.tiedEmbeddings ? "model." : "")
  const name = config.tiedEmbeddings ? "embed_tokens" : "lm_head"
  return hidden.flatMap((x) => head.linear(name, outside.rmsNorm("norm", x, normEpsilon)))
}
