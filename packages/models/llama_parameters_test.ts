import { assert, describe, it } from "@effect/vitest"
import type { LlamaConfig } from "./llama_config.ts"
import {
  countLlamaParameters,
  llamaParameterEntries,
  llamaParameterShapes,
  mapLlamaParameters,
} from "./llama_parameters.ts"

const config: LlamaConfig = {
  dimension: 64,
  hiddenDimension: 172,
  layers: 5,
  heads: 8,
  keyValueHeads: 4,
  vocabularySize: 512,
  contextLength: 512,
  tiedEmbeddings: true,
  ropeTheta: 10000,
  normEpsilon: 1e-5,
}

describe("LlamaParameters", () => {
  it("counts the 260,032 parameters of stories260K", () => {
    assert.strictEqual(countLlamaParameters(config), 260_032)
    assert.strictEqual(
      countLlamaParameters({ ...config, tiedEmbeddings: false }),
      260_032 + 512 * 64,
    )
  })

  it("names every leaf once", () => {
    const names = llamaParameterEntries(llamaParameterShapes(config)).map(([name]) => name)
    assert.strictEqual(names.length, 2 + 5 * 9)
    assert.strictEqual(new Set(names).size, names.length)
    assert.include(names, "blocks.4.down")
  })

  it("has a head only where the embeddings are untied", () => {
    assert.notProperty(llamaParameterShapes(config), "head")
    const untied = llamaParameterShapes({ ...config, tiedEmbeddings: false })
    assert.deepStrictEqual(untied.head, [512, 64])
    assert.deepStrictEqual(
      mapLlamaParameters(untied, (shape) => shape),
      untied,
    )
  })

  it("gives keys and values the grouped width", () => {
    const block = llamaParameterShapes(config).blocks[0]
    assert.deepStrictEqual(block.key, [32, 64])
    assert.deepStrictEqual(block.value, [32, 64])
    assert.deepStrictEqual(block.down, [64, 172])
  })
})
