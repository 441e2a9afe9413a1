import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { hasData, needsData, readData } from "@espalier/testing"
import { Arbitrary, Result, Schema } from "effect"
import type { CheckpointFormatError } from "./checkpoint_format_error.ts"
import { decodeLlama2c, encodeLlama2c } from "./llama2c.ts"
import type { LlamaConfig } from "./llama_config.ts"
import { headDimension } from "./llama_config.ts"
import type { LlamaParameters } from "./llama_parameters.ts"
import {
  llamaParameterEntries,
  llamaParameterShapes,
  mapLlamaParameters,
} from "./llama_parameters.ts"

const small = (change: Partial<LlamaConfig> = {}): LlamaConfig => ({
  dimension: 8,
  hiddenDimension: 12,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  vocabularySize: 10,
  contextLength: 6,
  tiedEmbeddings: true,
  ropeTheta: 10000,
  normEpsilon: 1e-5,
  ...change,
})

const numbered = (config: LlamaConfig): LlamaParameters<HostArray.HostArray> => {
  let next = 0
  return mapLlamaParameters(llamaParameterShapes(config), (shape) => {
    const size = shape.reduce((product, extent) => product * extent, 1)
    return HostArray.make(
      shape,
      Float32Array.from({ length: size }, () => Math.sin(next++)),
    )
  })
}

const failure = (bytes: Uint8Array): CheckpointFormatError => {
  const result = decodeLlama2c(bytes, "model.bin")
  if (Result.isSuccess(result)) throw new Error("accepted")
  return result.failure
}

/** Writes version 1 or 2 as the format's own export does, by a second, straightforward route. */
const writeVersioned = (
  config: LlamaConfig,
  parameters: LlamaParameters<HostArray.HostArray>,
  groupSize?: number,
): Uint8Array => {
  const chunks: Array<Uint8Array> = []
  const header = new DataView(new ArrayBuffer(256))
  header.setUint32(0, 0x616b3432, true)
  header.setInt32(4, groupSize === undefined ? 1 : 2, true)
  for (const [i, size] of [
    config.dimension,
    config.hiddenDimension,
    config.layers,
    config.heads,
    config.keyValueHeads,
    config.vocabularySize,
    config.contextLength,
  ].entries()) {
    header.setInt32(8 + 4 * i, size, true)
  }
  header.setUint8(36, config.tiedEmbeddings ? 1 : 0)
  if (groupSize !== undefined) header.setInt32(37, groupSize, true)
  chunks.push(new Uint8Array(header.buffer))
  const full = ({ data }: HostArray.HostArray) =>
    chunks.push(new Uint8Array(Float32Array.from(data).buffer))
  const packed = (array: HostArray.HostArray) => {
    if (groupSize === undefined) return full(array)
    const codes = new Int8Array(array.data.length)
    const scales = new Float32Array(array.data.length / groupSize)
    for (let g = 0; g < scales.length; g++) {
      const group = array.data.subarray(g * groupSize, (g + 1) * groupSize)
      scales[g] = Math.max(...group.map(Math.abs)) / 127
      group.forEach((x, i) => (codes[g * groupSize + i] = Math.round(x / scales[g])))
    }
    chunks.push(new Uint8Array(codes.buffer), new Uint8Array(scales.buffer))
    return chunks.length
  }
  const { blocks } = parameters
  for (const block of blocks) full(block.attentionNorm)
  for (const block of blocks) full(block.feedForwardNorm)
  full(parameters.norm)
  packed(parameters.embedding)
  for (const name of ["query", "key", "value", "output", "gate", "down", "up"] as const) {
    for (const block of blocks) packed(block[name])
  }
  if (parameters.head !== undefined) packed(parameters.head)
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}

const Count = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))

describe("llama2.c checkpoints", () => {
  it.prop(
    "come back bit for bit from what was written",
    {
      pairs: Count(1, 3),
      groups: Count(1, 2),
      kvHeads: Count(1, 3),
      layers: Count(1, 3),
      hidden: Count(1, 20),
      vocabulary: Count(1, 20),
      tied: Arbitrary.schema(Schema.Boolean),
    },
    ({ pairs, groups, kvHeads, layers, hidden, vocabulary, tied }) => {
      const config = small({
        dimension: 2 * pairs * groups * kvHeads,
        heads: groups * kvHeads,
        keyValueHeads: kvHeads,
        layers,
        hiddenDimension: hidden,
        vocabularySize: vocabulary,
        tiedEmbeddings: tied,
      })
      const parameters = numbered(config)
      const bytes = Result.getOrThrow(encodeLlama2c(config, parameters))
      const back = Result.getOrThrow(decodeLlama2c(bytes, "model.bin"))
      assert.deepStrictEqual(back, { config, parameters, format: { version: 0 } })
    },
    { arbitrary: { runs: 30 } },
  )

  it("are read in version 1", () => {
    for (const tiedEmbeddings of [true, false]) {
      const config = small({ tiedEmbeddings })
      const parameters = numbered(config)
      const back = decodeLlama2c(writeVersioned(config, parameters), "model.bin")
      assert.deepStrictEqual(Result.getOrThrow(back), {
        config,
        parameters,
        format: { version: 1 },
      })
    }
  })

  it("are read in version 2 within half a step of each group's scale", () => {
    for (const tiedEmbeddings of [true, false]) {
      const config = small({ tiedEmbeddings })
      const parameters = numbered(config)
      const back = Result.getOrThrow(
        decodeLlama2c(writeVersioned(config, parameters, 4), "model.bin"),
      )
      assert.deepStrictEqual(back.format, { version: 2, groupSize: 4 })
      const read = new Map(llamaParameterEntries(back.parameters))
      for (const [name, { data }] of llamaParameterEntries(parameters)) {
        const found = read.get(name)!.data
        const step = name.toLowerCase().endsWith("norm") ? 0 : 1 / 127
        data.forEach((x, i) => assert.closeTo(found[i], x, step / 2 + 1e-7, `${name}[${i}]`))
      }
    }
  })

  it("are read from bytes at any place in a larger buffer", () => {
    const config = small()
    const bytes = Result.getOrThrow(encodeLlama2c(config, numbered(config)))
    const moved = Buffer.concat([Buffer.from([7, 7, 7]), bytes]).subarray(3)
    assert.deepStrictEqual(
      Result.getOrThrow(decodeLlama2c(moved, "a")),
      Result.getOrThrow(decodeLlama2c(bytes, "a")),
    )
  })

  it("are refused where bytes are missing or too many, with the numbers", () => {
    const config = small()
    const bytes = Result.getOrThrow(encodeLlama2c(config, numbered(config)))
    const truncated = failure(bytes.subarray(0, bytes.length - 5))
    assert.strictEqual(truncated._tag, "CheckpointFormatError")
    assert.include(truncated.expected, `${bytes.length} bytes`)
    assert.strictEqual(truncated.found, `${bytes.length - 5} bytes`)
    assert.include(truncated.message, "5 bytes are missing")
    const long = new Uint8Array(bytes.length + 3)
    long.set(bytes)
    assert.include(failure(long).message, "3 bytes too many")
    for (const length of [0, 10, 28, 100]) {
      assert.include(failure(bytes.subarray(0, length)).found, `${length} bytes`)
    }
    assert.include(
      failure(writeVersioned(config, numbered(config)).subarray(0, 99)).found,
      "99 bytes",
    )
  })

  it("are told from foreign files", () => {
    const text = new TextEncoder().encode(
      "Once upon a time, there was a file of plain text.".repeat(9),
    )
    assert.match(failure(text).message, /not|hardly|another/i)
    assert.include(failure(new Uint8Array(400)).hint, "another kind of file")
    const config = small()
    const future = writeVersioned(config, numbered(config))
    future[4] = 9
    assert.strictEqual(failure(future).found, "version 9")
  })

  it("are refused where the group size does not divide a tensor", () => {
    const config = small()
    const bytes = writeVersioned(config, numbered(config), 4)
    new DataView(bytes.buffer).setInt32(37, 7, true)
    assert.include(failure(bytes).expected, "embedding [10, 8]")
  })

  it("cannot be written with what the format does not know", () => {
    for (const [field, change] of [
      ["ropeTheta", { ropeTheta: 500000 }],
      ["headDimension", { headDimension: 6 }],
      ["attentionBias", { attentionBias: true }],
      ["slidingWindow", { slidingWindow: 4096 }],
      ["ropeScaling", { ropeScaling: { kind: "linear", factor: 2 } }],
    ] as const) {
      const config = small(change)
      const result = encodeLlama2c(config, numbered(config))
      if (Result.isSuccess(result)) return assert.fail(field)
      assert.strictEqual(result.failure.field, field)
      assert.include(result.failure.hint, "safetensors")
    }
  })

  describe.skipIf(!hasData)(`of real models${needsData}`, () => {
    const path = "language-models/stories260K.bin"
    const read = (file: string) => Result.getOrThrow(decodeLlama2c(readData(file), file))

    it("stories260K is read, and written back with the same weights", () => {
      const bytes = readData(path)
      const { config, parameters, format } = read(path)
      assert.deepStrictEqual(format, { version: 0 })
      assert.deepStrictEqual(
        config,
        small({
          dimension: 64,
          hiddenDimension: 172,
          layers: 5,
          heads: 8,
          vocabularySize: 512,
          contextLength: 512,
          keyValueHeads: 4,
        }),
      )
      const written = Result.getOrThrow(encodeLlama2c(config, parameters))
      const rotary = config.contextLength * headDimension(config) * 4
      const weights = bytes.length - rotary
      assert.isTrue(Buffer.from(written.subarray(0, weights)).equals(bytes.subarray(0, weights)))
      const table = (file: Uint8Array) => new Float32Array(file.slice(weights).buffer)
      const stored = table(Uint8Array.from(bytes))
      table(written).forEach((x, i) => assert.closeTo(x, stored[i], 1e-4))
    })

    it("the int8 export holds the same model, to within its rounding", () => {
      const quantised = read("language-models/stories260K-q8.bin")
      assert.deepStrictEqual(quantised.format, { version: 2, groupSize: 8 })
      const exact = read(path)
      assert.deepStrictEqual(quantised.config, exact.config)
      const approximate = new Map(llamaParameterEntries(quantised.parameters))
      for (const [name, { data }] of llamaParameterEntries(exact.parameters)) {
        const found = approximate.get(name)!.data
        let largest = 0
        let deviation = 0
        for (let i = 0; i < data.length; i++) {
          largest = Math.max(largest, Math.abs(data[i]))
          deviation = Math.max(deviation, Math.abs(data[i] - found[i]))
        }
        assert.isAtMost(deviation, largest / 254 + 1e-6, name)
      }
    })
  })
})
