import type { CausalLM } from "../causal_lm.ts"
import type { Gpt2 } from "../gpt2.ts"
import type { Llama } from "../llama.ts"
import type { Opt } from "../opt.ts"

/** The models that can be read from and written to Hugging Face folders. */
export type HuggingFaceModel = Llama | Gpt2 | Opt

/** The family and the sizes of such a model. */
export type HuggingFaceConfiguration =
  | Pick<Llama, "family" | "config">
  | Pick<Gpt2, "family" | "config">
  | Pick<Opt, "family" | "config">

const families: ReadonlyArray<string> = ["llama", "gpt2", "opt"]

/** True for a model that can be written as a Hugging Face folder. */
export const isHuggingFaceModel = (model: CausalLM): model is HuggingFaceModel =>
  families.includes(model.family) && "config" in model
