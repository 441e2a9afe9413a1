const outside: Readonly<Record<string, string>> = {
  embedding: "token_embd.weight",
  norm: "output_norm.weight",
  head: "output.weight",
}

const inside: Readonly<Record<string, string>> = {
  attentionNorm: "attn_norm.weight",
  query: "attn_q.weight",
  key: "attn_k.weight",
  value: "attn_v.weight",
  output: "attn_output.weight",
  queryBias: "attn_q.bias",
  keyBias: "attn_k.bias",
  valueBias: "attn_v.bias",
  feedForwardNorm: "ffn_norm.weight",
  gate: "ffn_gate.weight",
  up: "ffn_up.weight",
  down: "ffn_down.weight",
}

/** Factors by which rotary frequencies are divided, [width / 2]; no parameter, but a tensor. */
export const rotaryFactorsName = "rope_freqs.weight"

/**
 * What llama.cpp calls a parameter of a LLaMA-style model, by its path in the tree. Its architecture
 * `llama` turns neighbouring rows of queries and keys, as they lie in memory here.
 *
 * @example
 * ```ts
 * ggufName("blocks.3.query") // "blk.3.attn_q.weight"
 * ```
 */
export const ggufName = (parameter: string): string => {
  const [, index, field] = parameter.split(".")
  return field === undefined ? outside[parameter] : `blk.${index}.${inside[field]}`
}
