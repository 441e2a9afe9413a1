import { HostArray, Tree } from "@espalier/tensor"
import type { Spec } from "@espalier/tensor"
import type { Gpt2 } from "../gpt2.ts"
import { makeGpt2 } from "../gpt2.ts"
import type { Gpt2Config } from "../gpt2_config.ts"
import { gpt2ParameterSpecs } from "../gpt2.ts"
import type { Opt } from "../opt.ts"
import { makeOpt, optParameterSpecs } from "../opt.ts"
import type { OptConfig } from "../opt_config.ts"
import { makeRandom } from "../random.ts"

/** A function that fills shapes with deterministic numbers in [-1, 1). */
export const randomArrays = (seed: number) => {
  const random = makeRandom(seed)
  return (shape: ReadonlyArray<number>): HostArray.HostArray => {
    const length = shape.reduce((size, extent) => size * extent, 1)
    const draw = () => random.below(2 ** 24) / 2 ** 23 - 1
    return HostArray.make(shape, Float32Array.from({ length }, draw))
  }
}

/** A small GPT-2 with deterministic weights. */
export const tinyGpt2 = (change: Partial<Gpt2Config> = {}, seed = 3): Gpt2 => {
  const config: Gpt2Config = {
    dimension: 12,
    hiddenDimension: 20,
    layers: 2,
    heads: 3,
    vocabularySize: 11,
    contextLength: 12,
    activation: "gelu_tanh",
    tiedEmbeddings: true,
    normEpsilon: 1e-5,
    ...change,
  }
  const draw = randomArrays(seed)
  return makeGpt2(
    config,
    Tree.map(gpt2ParameterSpecs(config), ({ shape }: Spec) => draw(shape)),
  )
}

/** A small OPT with deterministic weights. */
export const tinyOpt = (change: Partial<OptConfig> = {}, seed = 4): Opt => {
  const config: OptConfig = {
    dimension: 12,
    hiddenDimension: 20,
    layers: 2,
    heads: 3,
    vocabularySize: 11,
    contextLength: 12,
    activation: "relu",
    normBefore: true,
    tiedEmbeddings: true,
    ...change,
  }
  const draw = randomArrays(seed)
  return makeOpt(
    config,
    Tree.map(optParameterSpecs(config), ({ shape }: Spec) => draw(shape)),
  )
}
