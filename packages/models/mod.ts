/**
 * Read, run, generate with and evaluate decoder language models.
 *
 * @module
 */
export { countParameters, forward, parameterSpecs } from "./causal_lm.ts"
export type { Block, CausalLM, FoldableInputs, NamedLinear, Observe } from "./causal_lm.ts"
export { ContextExceeded, generate, makeDecodeStep } from "./generate.ts"
export type { DecodeInputs, GenerateError, GenerateOptions } from "./generate.ts"
export { initializeLlama, makeLlama } from "./llama.ts"
export type { Llama } from "./llama.ts"
export { perplexity, stackWindows, windowCrossEntropy } from "./perplexity.ts"
export { makeRandom } from "./random.ts"
export type { Perplexity, PerplexityOptions } from "./perplexity.ts"
export { firstLowRankA, InvalidLowRank, makeLowRank } from "./low_rank.ts"
export type { LowRank, LowRankLinear, LowRankOptions, LowRankParameters } from "./low_rank.ts"
export { trainLanguageModel } from "./train_language_model.ts"
export type { TrainedLanguageModel, TrainLanguageModelOptions } from "./train_language_model.ts"
export {
  languageModelOptimizer,
  languageModelSchedule,
  optimizerNames,
  scheduleNames,
  usualLearningRate,
} from "./train_language_model_options.ts"
export type { OptimizerName, ScheduleName } from "./train_language_model_options.ts"
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
export { decodeGgufCodes, encodeGgufCodes, ggufTypesFor } from "./gguf/code_blocks.ts"
export type { GgufTensorInfo } from "./gguf/decode_header.ts"
export { openGguf, readGgufModel, writeGgufModel } from "./gguf/files.ts"
export type { OpenGguf, WrittenGguf } from "./gguf/files.ts"
export { decodeGguf, encodeGguf } from "./gguf/gguf.ts"
export type { Gguf, GgufTensor } from "./gguf/gguf.ts"
export { ggufName } from "./gguf/llama_names.ts"
export type { GgufArray, GgufMetadata, GgufValue } from "./gguf/metadata.ts"
export { decodeGgufModel, encodeGgufModel } from "./gguf/model.ts"
export type { EncodedGgufModel, GgufModel } from "./gguf/model.ts"
export type { GgufKeptTensor, GgufModelOptions } from "./gguf/model_plan.ts"
export { decodeGgufTensor, encodeGgufTensor } from "./gguf/tensor.ts"
export type { GgufBlockType, GgufTensorType } from "./gguf/tensor_types.ts"
export { UnstorableWeight } from "./gguf/unstorable_weight.ts"
export { UnsupportedByGguf } from "./gguf/unsupported_by_gguf.ts"
export { decodePackQuantized } from "./pack_quantized/decode.ts"
export { encodePackQuantized } from "./pack_quantized/encode.ts"
export type { PackableTensors, PackOptions, PackQuantized } from "./pack_quantized/encode.ts"
export { decodePackQuantizedModel, encodePackQuantizedModel } from "./pack_quantized/model.ts"
export type { PackQuantizedModel, UnpackedModel } from "./pack_quantized/model.ts"
export type { QuantizationConfig } from "./pack_quantized/quantization_config.ts"
export {
  asSymmetric,
  checkQuantizedMatrix,
  dequantizeMatrix,
  isSymmetric,
} from "./pack_quantized/quantized_matrix.ts"
export type { QuantizedMatrix } from "./pack_quantized/quantized_matrix.ts"
export { decodeRawSafetensors, encodeRawSafetensors } from "./pack_quantized/raw_safetensors.ts"
export type { RawTensor } from "./pack_quantized/raw_safetensors.ts"
export { UnsupportedPacking } from "./pack_quantized/unsupported_packing.ts"
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
