import { HostArray } from "@espalier/tensor"
import type { LlamaConfig } from "../llama_config.ts"
import type { Llama } from "../llama.ts"
import { makeLlama } from "../llama.ts"
import { llamaParameterShapes, mapLlamaParameters } from "../llama_parameters.ts"
import { makeRandom } from "../random.ts"

/** A small configuration with grouped-query attention. */
export const tinyConfig = (change: Partial<LlamaConfig> = {}): LlamaConfig => ({
  dimension: 16,
  hiddenDimension: 12,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  vocabularySize: 11,
  contextLength: 12,
  tiedEmbeddings: true,
  ropeTheta: 100,
  normEpsilon: 1e-5,
  ...change,
})

/** A small model with deterministic weights, all in [-1, 1). */
export const tinyLlama = (change: Partial<LlamaConfig> = {}, seed = 1): Llama => {
  const config = tinyConfig(change)
  const random = makeRandom(seed)
  const parameters = mapLlamaParameters(llamaParameterShapes(config), (shape) => {
    const length = shape.reduce((size, extent) => size * extent, 1)
    const draw = () => random.below(2 ** 24) / 2 ** 23 - 1
    return HostArray.make(shape, Float32Array.from({ length }, draw))
  })
  return makeLlama(config, parameters)
}

/** Windows of deterministic tokens. */
export const tinyWindows = (
  count: number,
  length: number,
  vocabularySize = 11,
): ReadonlyArray<Int32Array> => {
  const random = makeRandom(7)
  return Array.from({ length: count }, () =>
    Int32Array.from({ length }, () => random.below(vocabularySize)),
  )
}
