/** Who takes part, whatever the number of threads. `plain` is ours without what a case is about. */
export type EngineName = "ours" | "plain" | "tfjs" | "jax" | "onnxruntime" | "torch" | "llama2c"

export const engineTitles: Readonly<Record<EngineName, string>> = {
  ours: "Espalier",
  plain: "Espalier, plain",
  tfjs: "tfjs-wasm",
  jax: "jax-js",
  onnxruntime: "onnxruntime",
  torch: "PyTorch",
  llama2c: "llama2.c",
}
