import {
  encodeGgufModel,
  encodePackQuantizedModel,
  encodeRawSafetensors,
  encodeTokenizer,
  tokenizerFileName,
} from "@espalier/models"
import { Step } from "@espalier/pipeline"
import { matrixOf } from "@espalier/quantization"
import { Effect, Schema } from "effect"
import type { ModelValue } from "../artifacts/model.ts"
import { Model } from "../artifacts/model.ts"
import { ggufTypes } from "../quantization/gguf_types.ts"
import { tellGguf } from "../quantization/tell_gguf.ts"

const matricesOf = ({ quantized }: ModelValue) =>
  new Map(Array.from(quantized ?? [], ([path, weight]) => [path, matrixOf(weight)]))

/** There are no integers to pack. */
export class NotQuantized extends Schema.TaggedError<NotQuantized>()("NotQuantized", {
  step: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the model of ${this.step} has no integers to pack. ${this.hint}`
  }
}

const packedFiles = Effect.fnUntraced(function* (value: ModelValue, step: string) {
  if (value.quantized === undefined) {
    const hint = "Quantise it before, or write gguf."
    return yield* new NotQuantized({ step, hint })
  }
  const { model, tokenizer } = value
  const { begin, end } = tokenizer
  const tokens = {
    ...(begin === undefined ? {} : { begin }),
    ...(end === undefined ? {} : { end }),
  }
  const packed = yield* Effect.fromResult(
    encodePackQuantizedModel(model, matricesOf(value), { tokens }),
  )
  const config = tokenizer.toConfigBytes?.()
  return {
    "config.json": packed.config,
    "model.safetensors": encodeRawSafetensors(packed.tensors, { format: "pt" }),
    [tokenizerFileName(tokenizer)]: encodeTokenizer(tokenizer),
    ...(config === undefined ? {} : { "tokenizer_config.json": config }),
  }
})

/** `model/export`: a model as other programs read it. */
export const modelExport = Step.define({
  use: "model/export",
  description:
    "Writes a model to the folder of --out for other programs: model.gguf for llama.cpp, or packed integers for vLLM and transformers.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    format: Schema.Literals(["gguf", "pack-quantized"]).annotate({ description: "for whom" }),
    ggufType: Schema.Literals(ggufTypes)
      .annotate({ description: "what gguf keeps matrices in, and codes if it takes them" })
      .pipe(Schema.withDecodingDefault(Effect.succeed("F16" as const))),
    name: Schema.NonEmptyString.annotate({ description: "of the model in gguf, for people" }).pipe(
      Schema.withDecodingDefault(Effect.succeed("model")),
    ),
  }),
  inputs: { model: { type: Model, description: "the model to write" } },
  run: ({ id, config: { format, ggufType: type, name }, inputs: { model: value } }) =>
    Effect.gen(function* () {
      const bytesOf = (files: Readonly<Record<string, Uint8Array>>) =>
        Object.values(files).reduce((sum, { length }) => sum + length, 0)
      if (format === "pack-quantized") {
        const files = yield* packedFiles(value, id)
        return { files, metrics: { bytes: bytesOf(files), kept: 0 } }
      }
      const { model, tokenizer } = value
      const options = { type, name, tokenizer, quantized: matricesOf(value) }
      const { bytes, kept } = yield* Effect.fromResult(encodeGgufModel(model, options))
      yield* tellGguf(kept, tokenizer)
      return { files: { "model.gguf": bytes }, metrics: { bytes: bytes.length, kept: kept.length } }
    }),
})
