import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { tinyGpt2, tinyOpt } from "../testing/random_parameters.ts"
import { tinyConfig } from "../testing/tiny.ts"
import { decodeHuggingFaceConfig, encodeHuggingFaceConfig } from "./configuration.ts"
import type { HuggingFaceConfiguration } from "./model.ts"

const read = (value: unknown) =>
  decodeHuggingFaceConfig(
    new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)),
    "config.json",
  )

const accept = (value: unknown) => Result.getOrThrow(read(value)).config

const refuse = (value: unknown, message: RegExp) => {
  const result = read(value)
  if (Result.isSuccess(result)) return assert.fail(JSON.stringify(value))
  assert.strictEqual(result.failure._tag, "CheckpointFormatError")
  assert.match(result.failure.message, message)
}

const llama = {
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  vocab_size: 512,
}
const mistral = { ...llama, model_type: "mistral", num_key_value_heads: 4 }
const qwen2 = { ...llama, model_type: "qwen2", num_key_value_heads: 4 }
const gpt2 = {
  model_type: "gpt2",
  n_embd: 64,
  n_layer: 5,
  n_head: 8,
  n_positions: 128,
  vocab_size: 512,
}
const opt = {
  model_type: "opt",
  hidden_size: 64,
  ffn_dim: 256,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  max_position_embeddings: 128,
  vocab_size: 512,
}
const llama3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
}

describe("config.json", () => {
  it("comes back for every family", () => {
    const ropeScaling = {
      kind: "llama3",
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalContextLength: 8192,
    } as const
    const configurations: ReadonlyArray<HuggingFaceConfiguration> = [
      { family: "llama", config: tinyConfig({ tiedEmbeddings: false }) },
      { family: "llama", config: tinyConfig({ headDimension: 6, ropeScaling }) },
      { family: "llama", config: tinyConfig({ ropeScaling: { kind: "linear", factor: 2 } }) },
      { family: "llama", config: tinyConfig({ slidingWindow: 12 }) },
      { family: "llama", config: tinyConfig({ attentionBias: true }) },
      { family: "llama", config: tinyConfig({ attentionBias: true, slidingWindow: 20 }) },
      tinyGpt2(),
      tinyGpt2({ activation: "gelu", tiedEmbeddings: false, normEpsilon: 1e-6 }),
      tinyOpt(),
      tinyOpt({ activation: "gelu_tanh", finalNorm: false }),
      tinyOpt({ embeddingDimension: 5, normBefore: false, tiedEmbeddings: false }),
    ].map(({ family, config }) => ({ family, config }) as HuggingFaceConfiguration)
    for (const configuration of configurations) {
      const bytes = encodeHuggingFaceConfig(configuration)
      assert.deepStrictEqual(Result.getOrThrow(decodeHuggingFaceConfig(bytes, "c")), configuration)
    }
  })

  it("names the class with which transformers loads the model", () => {
    const architecture = (change: Parameters<typeof tinyConfig>[0]) => {
      const bytes = encodeHuggingFaceConfig({ family: "llama", config: tinyConfig(change) })
      return JSON.parse(new TextDecoder().decode(bytes)).architectures[0]
    }
    assert.strictEqual(architecture({}), "LlamaForCausalLM")
    assert.strictEqual(architecture({ slidingWindow: 12 }), "MistralForCausalLM")
    assert.strictEqual(architecture({ attentionBias: true }), "Qwen2ForCausalLM")
  })

  it("takes transformers' defaults for absent keys", () => {
    assert.deepStrictEqual(accept(llama), {
      dimension: 64,
      hiddenDimension: 172,
      layers: 5,
      heads: 8,
      keyValueHeads: 8,
      vocabularySize: 512,
      contextLength: 2048,
      tiedEmbeddings: false,
      ropeTheta: 10000,
      normEpsilon: 1e-6,
    })
    assert.deepInclude(accept({ ...llama, model_type: "mistral" }), {
      keyValueHeads: 8,
      slidingWindow: 4096,
      contextLength: 4096,
    })
    assert.deepInclude(accept(qwen2), {
      attentionBias: true,
      contextLength: 32768,
      keyValueHeads: 4,
    })
    assert.deepStrictEqual(accept(gpt2), {
      dimension: 64,
      hiddenDimension: 256,
      layers: 5,
      heads: 8,
      vocabularySize: 512,
      contextLength: 128,
      activation: "gelu_tanh",
      tiedEmbeddings: true,
      normEpsilon: 1e-5,
    })
    assert.deepStrictEqual(accept(opt), {
      dimension: 64,
      hiddenDimension: 256,
      layers: 5,
      heads: 8,
      vocabularySize: 512,
      contextLength: 128,
      activation: "relu",
      normBefore: true,
      tiedEmbeddings: true,
    })
  })

  it("a sliding window limits the context", () => {
    const long = { max_position_embeddings: 32768 }
    const windows: ReadonlyArray<readonly [object, number]> = [
      [{ ...mistral, ...long, sliding_window: 4096 }, 4096],
      [{ ...mistral, ...long, sliding_window: null }, 32768],
      [{ ...mistral, max_position_embeddings: 2048, sliding_window: 4096 }, 2048],
      [{ ...qwen2, ...long, sliding_window: 4096 }, 32768],
      [{ ...qwen2, ...long, sliding_window: 4096, use_sliding_window: true }, 4096],
    ]
    for (const [json, expected] of windows) {
      assert.strictEqual(accept(json).contextLength, expected)
    }
  })

  it("reads rotary embeddings by their old and new names", () => {
    const theta = { rope_theta: 5e5 }
    assert.deepInclude(accept({ ...llama, rope_parameters: theta }), { ropeTheta: 5e5 })
    const scaled = {
      kind: "llama3",
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalContextLength: 8192,
    } as const
    assert.deepInclude(accept({ ...llama, ...theta, rope_scaling: llama3 }), {
      ropeTheta: 5e5,
      ropeScaling: scaled,
    })
    assert.deepInclude(accept({ ...llama, rope_parameters: { ...theta, ...llama3 } }), {
      ropeTheta: 5e5,
      ropeScaling: scaled,
    })
    assert.deepInclude(accept({ ...llama, rope_scaling: { type: "linear", factor: 2 } }), {
      ropeScaling: { kind: "linear", factor: 2 },
    })
    assert.notProperty(accept({ ...llama, rope_scaling: { type: "default" } }), "ropeScaling")
  })

  it("takes a head of another width", () => {
    assert.deepInclude(accept({ ...llama, head_dim: 16 }), { headDimension: 16 })
    assert.notProperty(accept({ ...llama, head_dim: 8 }), "headDimension")
    assert.deepInclude(accept({ ...llama, num_attention_heads: 7, head_dim: 4 }), {
      headDimension: 4,
    })
  })

  const refused: ReadonlyArray<readonly [string, unknown, RegExp]> = [
    [
      "another kind of model",
      { ...llama, model_type: "mamba" },
      /model_type in llama, mistral, qwen2, gpt2, opt, found "mamba"/,
    ],
    [
      "another head",
      { ...llama, architectures: ["LlamaForSequenceClassification"] },
      /architectures LlamaForCausalLM, found \["LlamaForSequence/,
    ],
    ["another activation", { ...llama, hidden_act: "gelu" }, /hidden_act "silu".*found "gelu"/],
    [
      "a strange activation",
      { ...gpt2, activation_function: "mish" },
      /activation_function .*"mish"/,
    ],
    ["another activation of OPT", { ...opt, activation_function: "silu" }, /activation_function/],
    [
      "biases on all linears",
      { ...llama, attention_bias: true },
      /attention_bias false, found true/,
    ],
    ["biases in the network", { ...llama, mlp_bias: true }, /mlp_bias false/],
    ["no biases", { ...opt, enable_bias: false }, /enable_bias true, found false/],
    [
      "norms without weights",
      { ...opt, layer_norm_elementwise_affine: false },
      /layer_norm_elementwise_affine true/,
    ],
    [
      "attention scaled by layer",
      { ...gpt2, scale_attn_by_inverse_layer_idx: true },
      /scale_attn_by_inverse_layer_idx false/,
    ],
    ["unscaled attention", { ...gpt2, scale_attn_weights: false }, /scale_attn_weights true/],
    ["cross attention", { ...gpt2, add_cross_attention: true }, /add_cross_attention false/],
    [
      "quantised weights",
      { ...llama, quantization_config: { bits: 4 } },
      /quantization_config null, found \{"bits":4\}/,
    ],
    [
      "an unknown rotary scaling",
      { ...llama, rope_scaling: { rope_type: "yarn", factor: 4 } },
      /rope_scaling\.rope_type "default", "linear" or "llama3", found "yarn"/,
    ],
    [
      "an unknown rotary scaling by its old name",
      { ...llama, rope_scaling: { type: "dynamic", factor: 4 } },
      /rope_scaling\.type .*found "dynamic"/,
    ],
    [
      "a rotary scaling that says too little",
      { ...llama, rope_scaling: { ...llama3, low_freq_factor: null } },
      /rope_scaling\.low_freq_factor a positive number, found null/,
    ],
    [
      "a rotary scaling that says more",
      { ...llama, rope_parameters: { rope_theta: 1e4, full_attention: {} } },
      /rope_parameters\.full_attention absent/,
    ],
    [
      "partly rotated heads",
      { ...llama, rope_parameters: { partial_rotary_factor: 0.5 } },
      /rope_parameters\.partial_rotary_factor absent, found 0\.5/,
    ],
    ["partly rotated heads otherwise", { ...llama, partial_rotary_factor: 0.5 }, /partial_rotary/],
    [
      "another kind of attention",
      { ...qwen2, layer_types: ["full_attention", "linear_attention"] },
      /layer_types .*found "linear_attention"/,
    ],
    [
      "heads that do not divide the dimension",
      { ...llama, num_attention_heads: 7, head_dim: null },
      /heads to be a divisor of dimension 64, found 7/,
    ],
    ["heads that do not divide GPT-2's", { ...gpt2, n_head: 7 }, /heads to be a divisor/],
    ["a size that is no number", { ...llama, vocab_size: "many" }, /vocab_size/],
    ["a missing size", { model_type: "gpt2" }, /n_embd/],
    ["a key twice", `{"vocab_size": 1, "hidden_size": 2, "vocab_size": 3}`, /vocab_size twice/],
    ["half a file", "{", /a JSON object/],
    ["a list", "[]", /a JSON object/],
  ]
  for (const [what, json, message] of refused) {
    it(`with ${what} is refused`, () => refuse(json, message))
  }

  it("in another encoding is refused", () => {
    assert.isTrue(Result.isFailure(decodeHuggingFaceConfig(Uint8Array.of(0xff), "c")))
  })
})
