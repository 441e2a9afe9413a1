import type { CausalLM, Tokenizer, UnsupportedFamily } from "@espalier/models"
import {
  CheckpointFormatError,
  decodeHuggingFaceConfig,
  decodeSafetensors,
  decodeTokenizer,
  encodeHuggingFaceConfig,
  encodeSafetensors,
  encodeTokenizer,
  fromHuggingFace,
  requireHuggingFaceModel,
  tokenizerFileName,
  toHuggingFace,
} from "@espalier/models"
import type { Files } from "@espalier/pipeline"
import { ArtifactType } from "@espalier/pipeline"
import { Effect, Result } from "effect"
import type { QuantizedWeights } from "./quantized_weights.ts"
import { decodeQuantizedWeights, encodeQuantizedWeights } from "./quantized_weights.ts"

/** A language model and the tokenizer it was trained with. */
export interface ModelValue {
  readonly model: CausalLM
  readonly tokenizer: Tokenizer
  /** The codes that weights of the model stand for. Whoever changes these weights leaves them out. */
  readonly quantized?: QuantizedWeights
}

const tokenizerNames = ["tokenizer.bin", "tokenizer.json"] as const

/** The files of a model in the Hugging Face layout, plus the tokenizer's own file, plus its codes. */
export const encodeModel = ({
  model,
  tokenizer,
  quantized,
}: ModelValue): Result.Result<Files, UnsupportedFamily> =>
  Result.gen(function* () {
    const tokens = {
      ...(tokenizer.begin === undefined ? {} : { begin: tokenizer.begin }),
      ...(tokenizer.end === undefined ? {} : { end: tokenizer.end }),
    }
    const config = tokenizer.toConfigBytes?.()
    return {
      "config.json": encodeHuggingFaceConfig(yield* requireHuggingFaceModel(model), tokens),
      "model.safetensors": encodeSafetensors(yield* toHuggingFace(model), { format: "pt" }),
      [tokenizerFileName(tokenizer)]: encodeTokenizer(tokenizer),
      ...(config === undefined ? {} : { "tokenizer_config.json": config }),
      ...(quantized === undefined ? {} : encodeQuantizedWeights(quantized)),
    }
  })

const requireFile = (files: Files, name: string, path: string) =>
  files[name] === undefined
    ? Effect.fail(
        new CheckpointFormatError({
          path,
          expected: `a file ${name}`,
          found: Object.keys(files).join(", ") || "nothing",
          hint: "A model folder holds config.json, model.safetensors and a tokenizer.",
        }),
      )
    : Effect.succeed(files[name])

/** Reads what {@link encodeModel} wrote. */
export const decodeModel = Effect.fnUntraced(function* (files: Files, path: string) {
  const configuration = yield* Effect.fromResult(
    decodeHuggingFaceConfig(yield* requireFile(files, "config.json", path), `${path}/config.json`),
  )
  const weights = `${path}/model.safetensors`
  const { tensors } = yield* Effect.fromResult(
    decodeSafetensors(yield* requireFile(files, "model.safetensors", path), weights),
  )
  const model = yield* Effect.fromResult(fromHuggingFace(configuration, tensors, weights))
  const name = tokenizerNames.find((candidate) => files[candidate] !== undefined)
  const bytes = yield* requireFile(files, name ?? "tokenizer.bin", path)
  const tokenizer = yield* Effect.fromResult(
    decodeTokenizer(bytes, `${path}/${name}`, { config: files["tokenizer_config.json"] }),
  )
  const quantized = yield* Effect.fromResult(decodeQuantizedWeights(files, path))
  const value: ModelValue = {
    model,
    tokenizer,
    ...(quantized === undefined ? {} : { quantized }),
  }
  return value
})

/** A model as it flows between steps: a Hugging Face folder with the tokenizer beside it. */
export const Model = ArtifactType.make({
  name: "Model",
  encode: (value: ModelValue) => Effect.fromResult(encodeModel(value)),
  decode: (files) => decodeModel(files, "the kept model"),
})
