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

/** A language model and the tokenizer it was trained with. */
export interface ModelValue {
  readonly model: CausalLM
  readonly tokenizer: Tokenizer
}

const tokenizerNames = ["tokenizer.bin", "tokenizer.json"] as const

/** The files of a model in the Hugging Face layout, plus the tokenizer's own file. */
export const encodeModel = ({
  model,
  tokenizer,
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
  const value: ModelValue = { model, tokenizer }
  return value
})

/** A model as it flows between steps: a Hugging Face folder with the tokenizer beside it. */
export const Model = ArtifactType.make({
  name: "Model",
  encode: (value: ModelValue) => Effect.fromResult(encodeModel(value)),
  decode: (files) => decodeModel(files, "the kept model"),
})
