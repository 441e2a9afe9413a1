import { assert, describe, it } from "@effect/vitest"
import { llamaParameterEntries } from "@espalier/models"
import { Effect } from "effect"
import { makeTinyModel } from "../testing/tiny_model.ts"
import { decodeModel, encodeModel, Model } from "./model.ts"

describe("Model", () => {
  it.effect("comes back bit for bit from its files, with configuration and tokenizer", () =>
    Effect.gen(function* () {
      const before = makeTinyModel()
      // What a mask leaves behind, and numbers that lose their sign or size where bits are not kept.
      const [, first] = llamaParameterEntries(before.model.parameters)[0]
      first.data.set([0, -0, 1e-45, -3.4028234663852886e38])
      const files = yield* Model.encode(before)
      assert.deepStrictEqual(Object.keys(files).toSorted(), [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
      ])
      const after = yield* Model.decode(files)
      assert.deepStrictEqual(after.model.config, before.model.config)
      const bits = (value: typeof before) =>
        llamaParameterEntries(value.model.parameters).map(([name, { shape, data }]) => [
          name,
          shape,
          Array.from(new Uint32Array(Float32Array.from(data).buffer)),
        ])
      assert.deepStrictEqual(bits(after), bits(before))
      const text = "Long ago Mia went to the barn."
      assert.deepStrictEqual(after.tokenizer.encode(text), before.tokenizer.encode(text))
      assert.deepStrictEqual(yield* Model.encode(after), files)
    }),
  )

  it.effect("says which file of a folder is missing", () =>
    Effect.gen(function* () {
      const { "config.json": _, ...files } = encodeModel(makeTinyModel())
      const error = yield* Effect.flip(decodeModel(files, "here"))
      assert.match(error.message, /^here: expected a file config\.json, found model\.safetensors/)
    }),
  )
})
