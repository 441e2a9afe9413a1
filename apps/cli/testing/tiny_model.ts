import type { Llama } from "@espalier/models"
import {
  llamaParameterShapes,
  makeLlama,
  makeLlamaConfig,
  makeWordTokenizerFor,
  mapLlamaParameters,
} from "@espalier/models"
import { HostArray } from "@espalier/tensor"
import { Result } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { ModelValue } from "../artifacts/model.ts"
import { encodeModel } from "../artifacts/model.ts"
import { makeRandomNumbers } from "../random_numbers.ts"
import { tellStories } from "../story_grammar.ts"

/** The text that the tiny model has words for. */
export const tinyStories = tellStories(1, 20).map(({ text }) => text)

/**
 * An untrained model with seeded weights, made without a device. Its feed-forward width of 12 is no
 * multiple of 8, and it sees 32 tokens unless told otherwise.
 */
export const makeTinyModel = (
  options: {
    readonly dimension?: number
    readonly hiddenDimension?: number
    readonly layers?: number
    readonly contextLength?: number
  } = {},
): ModelValue & { readonly model: Llama } => {
  const tokenizer = makeWordTokenizerFor(tinyStories)
  const config = Result.getOrThrow(
    makeLlamaConfig({
      dimension: options.dimension ?? 8,
      hiddenDimension: options.hiddenDimension ?? 12,
      layers: options.layers ?? 2,
      heads: 2,
      keyValueHeads: 1,
      contextLength: options.contextLength ?? 32,
      vocabularySize: tokenizer.vocabularySize,
    }),
  )
  const random = makeRandomNumbers(7)
  const parameters = mapLlamaParameters(llamaParameterShapes(config), (shape) => {
    const size = shape.reduce((product, extent) => product * extent, 1)
    return HostArray.make(
      shape,
      Float32Array.from({ length: size }, () => random() - 0.5),
      "f32",
    )
  })
  return { model: makeLlama(config, parameters), tokenizer }
}

/** Writes a model as a folder in the Hugging Face layout. */
export const writeModel = (folder: string, model: ModelValue): void => {
  mkdirSync(folder, { recursive: true })
  for (const [name, bytes] of Object.entries(Result.getOrThrow(encodeModel(model)))) {
    writeFileSync(join(folder, name), bytes)
  }
}
