import type { CausalLM, Llama, Tokenizer } from "@espalier/models"
import {
  CheckpointFormatError,
  decodeHuggingFaceConfig,
  decodeSafetensors,
  decodeTokenizer,
  encodeHuggingFaceConfig,
  encodeSafetensors,
  encodeTokenizer,
  fromHuggingFace,
  makeLlama,
  toHuggingFace,
} from "@espalier/models"
import type { Files } from "@espalier/pipeline"
import { ArtifactType } from "@espalier/pipeline"
import { Effect } from "effect"

/** A language model and the tokenizer it was trained with. */
export interface ModelValue {
  readonly model: Llama
  readonly tokenizer: Tokenizer
}

/** A changed model of the same family, as methods give it back. */
export const sameFamily = (before: ModelValue, model: CausalLM): ModelValue => ({
  ...before,
  model: makeLlama(before.model.config, model.parameters as Llama["parameters"]),
})

const tokenizerNames = ["tokenizer.bin", "tokenizer.json"] as const

/** The files of a model in the Hugging Face layout, plus the tokenizer's own file. */
export const encodeModel = ({ model, tokenizer }: ModelValue): Files => {
  const tokens = {
    ...(tokenizer.begin === undefined ? {} : { begin: tokenizer.begin }),
    ...(tokenizer.end === undefined ? {} : { end: tokenizer.end }),
  }
  const name = tokenizer.kind === "words" ? "tokenizer.json" : "tokenizer.bin"
  return {
    "config.json": encodeHuggingFaceConfig(model.config, tokens),
    "model.safetensors": encodeSafetensors(toHuggingFace(model.config, model.parameters), {
      format: "pt",
    }),
    [name]: encodeTokenizer(tokenizer),
  }
}

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

/** Reads a LLaMA-style model from the files of a folder in the Hugging Face layout. */
export const decodeLlamaFiles = Effect.fnUntraced(function* (files: Files, path: string) {
  const config = yield* Effect.fromResult(
    decodeHuggingFaceConfig(yield* requireFile(files, "config.json", path), `${path}/config.json`),
  )
  const weights = `${path}/model.safetensors`
  const { tensors } = yield* Effect.fromResult(
    decodeSafetensors(yield* requireFile(files, "model.safetensors", path), weights),
  )
  return makeLlama(config, yield* Effect.fromResult(fromHuggingFace(config, tensors, weights)))
})

/** Reads what {@link encodeModel} wrote. */
export const decodeModel = Effect.fnUntraced(function* (files: Files, path: string) {
  const model = yield* decodeLlamaFiles(files, path)
  const name = tokenizerNames.find((candidate) => files[candidate] !== undefined)
  const bytes = yield* requireFile(files, name ?? "tokenizer.bin", path)
  const tokenizer = yield* Effect.fromResult(decodeTokenizer(bytes, `${path}/${name}`))
  return { model, tokenizer }
})

/** A model as it flows between steps: a Hugging Face folder with the tokenizer beside it. */
export const Model = ArtifactType.make({
  name: "Model",
  encode: (value: ModelValue) => Effect.sync(() => encodeModel(value)),
  decode: (files) => decodeModel(files, "the kept model"),
})
