/** Who takes part, whatever the number of threads. */
export type EngineName = "ours" | "tfjs" | "jax" | "onnxruntime" | "torch" | "llama2c"

export const engineTitles: Readonly<Record<EngineName, string>> = {
  ours: "Espalier",
  tfjs: "tfjs-wasm",
  jax: "jax-js",
  onnxruntime: "onnxruntime",
  torch: "PyTorch",
  llama2c: "llama2.c",
}
