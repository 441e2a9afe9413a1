/**
 * Read, run, generate with and evaluate decoder language models.
 *
 * @module
 */
export { forward, parameterSpecs } from "./causal_lm.ts"
export type { Block, CausalLM, NamedLinear, Observe } from "./causal_lm.ts"
export { ContextExceeded, generate, makeDecodeStep } from "./generate.ts"
export type { DecodeInputs, GenerateError, GenerateOptions } from "./generate.ts"
export { initializeLlama, makeLlama } from "./llama.ts"
export type { Llama } from "./llama.ts"
export { perplexity, stackWindows, windowCrossEntropy } from "./perplexity.ts"
export type { Perplexity, PerplexityOptions } from "./perplexity.ts"
export { trainLanguageModel } from "./train_language_model.ts"
export type { TrainedLanguageModel, TrainLanguageModelOptions } from "./train_language_model.ts"
export { makeSampler } from "./sampler.ts"
export type { SamplingOptions } from "./sampler.ts"
export { CheckpointFormatError } from "./checkpoint_format_error.ts"
export { decodeHuggingFaceConfig, encodeHuggingFaceConfig } from "./hugging_face_config.ts"
export { fromHuggingFace, huggingFaceName, toHuggingFace } from "./hugging_face_llama.ts"
export { decodeLlama2c, encodeLlama2c } from "./llama2c.ts"
export type { Llama2cCheckpoint, Llama2cFormat } from "./llama2c.ts"
export { makeLlama2cTokenizer } from "./llama2c_tokenizer.ts"
export type { ScoredToken } from "./llama2c_tokenizer.ts"
export {
  headDimension,
  InvalidLlamaConfig,
  keyValueDimension,
  LlamaConfig,
  makeLlamaConfig,
  validateLlamaConfig,
} from "./llama_config.ts"
export {
  countLlamaParameters,
  llamaParameterEntries,
  llamaParameterShapes,
  mapLlamaParameters,
} from "./llama_parameters.ts"
export type { LlamaBlockParameters, LlamaParameters } from "./llama_parameters.ts"
export { decodeSafetensors, encodeSafetensors } from "./safetensors.ts"
export type { Safetensors } from "./safetensors.ts"
export {
  cutWindows,
  TextTooShort,
  tokenStream,
  windowLength,
  WindowTooLong,
} from "./text_windows.ts"
export type { Join, TextWindows, WindowOptions } from "./text_windows.ts"
export {
  checkTokenizer,
  decodeTokenizer,
  encodeDocument,
  encodeTokenizer,
  TokenizerMismatch,
} from "./tokenizer.ts"
export { TokenizerFormatError } from "./tokenizer_interface.ts"
export type { TokenDecoder, Tokenizer } from "./tokenizer_interface.ts"
export { joinWords, makeWordTokenizer, makeWordTokenizerFor, splitWords } from "./word_tokenizer.ts"
