import { assert, describe, it } from "@effect/vitest"
import type { CausalLM, Gpt2 } from "@espalier/models"
import { gpt2ParameterSpecs, makeGpt2 } from "@espalier/models"
import { HostArray, Tree } from "@espalier/tensor"
import type { Spec } from "@espalier/tensor"
import { Effect, Result } from "effect"
import { makeTinyModel } from "../testing/tiny_model.ts"
import { decodeModel, encodeModel, Model } from "./model.ts"

/** The bits of every parameter by its path. */
const bits = ({ parameters }: CausalLM) => {
  const leaves = Tree.leaves<HostArray.HostArray>(parameters)
  return Tree.entries(parameters).map(([path], i) => {
    const { shape, data } = leaves[i]
    return [path, shape, Array.from(new Uint32Array(Float32Array.from(data).buffer))]
  })
}

const makeTinyGpt2 = (vocabularySize: number): Gpt2 => {
  const config = {
    dimension: 8,
    hiddenDimension: 12,
    layers: 2,
    heads: 2,
    vocabularySize,
    contextLength: 16,
    activation: "gelu_tanh",
    tiedEmbeddings: true,
    normEpsilon: 1e-5,
  } as const
  let next = 0
  const draw = ({ shape }: Spec) => {
    const array = HostArray.zeros(shape)
    return HostArray.make(
      shape,
      array.data.map(() => Math.sin(next++)),
    )
  }
  return makeGpt2(config, Tree.map(gpt2ParameterSpecs(config), draw))
}

describe("Model", () => {
  it.effect("comes back bit for bit from its files, with configuration and tokenizer", () =>
    Effect.gen(function* () {
      const before = makeTinyModel()
      // What a mask leaves behind, and numbers that lose their sign or size where bits are not kept.
      const [first] = Tree.leaves<HostArray.HostArray>(before.model.parameters)
      first.data.set([0, -0, 1e-45, -3.4028234663852886e38])
      const files = yield* Model.encode(before)
      assert.deepStrictEqual(Object.keys(files).toSorted(), [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
      ])
      const after = yield* Model.decode(files)
      assert.deepStrictEqual(bits(after.model), bits(before.model))
      const text = "Long ago Mia went to the barn."
      assert.deepStrictEqual(after.tokenizer.encode(text), before.tokenizer.encode(text))
      assert.deepStrictEqual(yield* Model.encode(after), files)
    }),
  )

  it.effect("may be of any family that has a Hugging Face layout", () =>
    Effect.gen(function* () {
      const { tokenizer } = makeTinyModel()
      const model = makeTinyGpt2(tokenizer.vocabularySize)
      const after = yield* Model.decode(yield* Model.encode({ model, tokenizer }))
      assert.strictEqual(after.model.family, "gpt2")
      assert.deepStrictEqual(bits(after.model), bits(model))
      const stranger = { model: { ...model, family: "mamba" }, tokenizer }
      assert.match((yield* Effect.flip(Model.encode(stranger))).message, /mamba/)
    }),
  )

  it.effect("says which file of a folder is missing", () =>
    Effect.gen(function* () {
      const { "config.json": _, ...files } = Result.getOrThrow(encodeModel(makeTinyModel()))
      const error = yield* Effect.flip(decodeModel(files, "here"))
      assert.match(error.message, /^here: expected a file config\.json, found model\.safetensors/)
    }),
  )
})
