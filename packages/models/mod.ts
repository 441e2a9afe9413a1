/**
 * Read, run, generate with and evaluate decoder language models.
 *
 * @module
 */
export { countParameters, forward, parameterSpecs } from "./causal_lm.ts"
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
export { gpt2ParameterSpecs, makeGpt2 } from "./gpt2.ts"
export type { Gpt2, Gpt2BlockParameters, Gpt2Parameters } from "./gpt2.ts"
export { Gpt2Config, makeGpt2Config } from "./gpt2_config.ts"
export { decodeHuggingFaceConfig, encodeHuggingFaceConfig } from "./hugging_face/configuration.ts"
export type { SpecialTokens } from "./hugging_face/configuration.ts"
export { openCheckpoint } from "./hugging_face/checkpoint.ts"
export type { Checkpoint, ReadTree } from "./hugging_face/checkpoint.ts"
export { CheckpointFileError } from "./hugging_face/checkpoint_file_error.ts"
export { CheckpointExists, copyCheckpoint } from "./hugging_face/copy_checkpoint.ts"
export type { CheckpointCopy } from "./hugging_face/copy_checkpoint.ts"
export type { Arrangement } from "./hugging_face/arrangement.ts"
export type { StoredArray, StoredTensor } from "./hugging_face/stored_array.ts"
export { WeightOverflow } from "./hugging_face/tensor_files.ts"
export { isHuggingFaceModel } from "./hugging_face/model.ts"
export type { HuggingFaceConfiguration, HuggingFaceModel } from "./hugging_face/model.ts"
export {
  fromHuggingFace,
  huggingFaceNames,
  requireHuggingFaceModel,
  toHuggingFace,
  UnsupportedFamily,
} from "./hugging_face/tensors.ts"
export { InvalidModelConfig } from "./invalid_model_config.ts"
export { makeOpt, optParameterSpecs } from "./opt.ts"
export type { Opt, OptBlockParameters, OptParameters } from "./opt.ts"
export { makeOptConfig, OptConfig } from "./opt_config.ts"
export { decodeLlama2c, encodeLlama2c } from "./llama2c.ts"
export type { Llama2cCheckpoint, Llama2cFormat } from "./llama2c.ts"
export type { Activation } from "./learned_position_decoder.ts"
export { RopeScaling } from "./llama_rotary.ts"
export { makeLlama2cTokenizer } from "./llama2c_tokenizer.ts"
export type { ScoredToken } from "./llama2c_tokenizer.ts"
export {
  headDimension,
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
export type { StoredDType } from "./stored_dtype.ts"
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
  tokenizerFileName,
  TokenizerMismatch,
} from "./tokenizer.ts"
export { TokenizerFormatError } from "./tokenizer_interface.ts"
export type { TokenDecoder, Tokenizer } from "./tokenizer_interface.ts"
export type { TokenizerJsonOptions } from "./tokenizer_json/tokenizer_json.ts"
export { decodeVocabularyAndMerges } from "./tokenizer_json/vocabulary_and_merges.ts"
export type { VocabularyAndMerges } from "./tokenizer_json/vocabulary_and_merges.ts"
export { joinWords, makeWordTokenizer, makeWordTokenizerFor, splitWords } from "./word_tokenizer.ts"
export { meanAndError, scoreItem } from "./zero_shot/accuracy.ts"
export type { ItemScore, MeanAndError } from "./zero_shot/accuracy.ts"
export { encodeRequest } from "./zero_shot/encode_request.ts"
export type { EncodeRequestOptions, TokenRequest } from "./zero_shot/encode_request.ts"
export { withShots, ZeroShotFormatError } from "./zero_shot/items.ts"
export type { LikelihoodRequest, LineKind, ZeroShotItem } from "./zero_shot/items.ts"
export { logLikelihoods } from "./zero_shot/log_likelihood.ts"
export type { Likelihood, LogLikelihoodOptions } from "./zero_shot/log_likelihood.ts"
export { readZeroShotItems, zeroShotTasks } from "./zero_shot/tasks.ts"
export type { ZeroShotTask } from "./zero_shot/tasks.ts"
export { NothingToScore, zeroShot } from "./zero_shot/zero_shot.ts"
export type { ZeroShotOptions, ZeroShotScore } from "./zero_shot/zero_shot.ts"
