import type { Llama, LlamaConfig } from "@espalier/models"
import {
  llamaParameterShapes,
  makeLlama,
  makeLlamaConfig,
  mapLlamaParameters,
} from "@espalier/models"
import { HostArray } from "@espalier/tensor"
import { makeNumbers } from "@espalier/testing"
import { Result } from "effect"

/** A small model with drawn weights; its vocabulary has 11 tokens and its context 12. */
export const tinyLlama = (change: Partial<LlamaConfig> = {}): Llama => {
  const config = Result.getOrThrow(
    makeLlamaConfig({
      dimension: 16,
      hiddenDimension: 24,
      layers: 2,
      heads: 4,
      keyValueHeads: 2,
      vocabularySize: 11,
      contextLength: 12,
      ...change,
    }),
  )
  const next = makeNumbers(5)
  const parameters = mapLlamaParameters(llamaParameterShapes(config), (shape) => {
    const length = shape.reduce((size, extent) => size * extent, 1)
    return HostArray.make(shape, Float32Array.from({ length }, next))
  })
  return makeLlama(config, parameters)
}

/** Windows of ten drawn tokens for {@link tinyLlama}. */
export const tinyWindows = (count: number): ReadonlyArray<Int32Array> => {
  const next = makeNumbers(9)
  return Array.from({ length: count }, () =>
    Int32Array.from({ length: 10 }, () => Math.floor((next() + 1) * 5.5)),
  )
}
