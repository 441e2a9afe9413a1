import { assert, describe, it } from "@effect/vitest"
import {
  decodeGguf,
  decodeGgufCodes,
  decodeGgufModel,
  decodePackQuantizedModel,
  decodeRawSafetensors,
  ggufName,
} from "@espalier/models"
import type { QuantizedMatrix } from "@espalier/models"
import type { HostArray } from "@espalier/tensor"
import { Result } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"
import { makeTinyModel, tinyStories, writeModel } from "../testing/tiny_model.ts"

type Place = ReturnType<typeof makeFolder>

const inPlace = (use: (place: Place) => Promise<void>) => async () => {
  const place = makeFolder("real")
  try {
    writeModel(place.at("model"), makeTinyModel({ dimension: 32, hiddenDimension: 64 }))
    place.write("model/LICENSE", "Do what you like.\n")
    place.write("stories.jsonl", tinyStories.map((text) => JSON.stringify(text)).join("\n"))
    await use(place)
  } finally {
    place.remove()
  }
}

const rtn = ["quantize", "model", "--device", "wasm", "--method", "rtn"]
const gptq = [...rtn, "--calibration", "stories.jsonl", "--window", "16", "--samples", "8"].with(
  5,
  "gptq",
)
const inGroups = ["--group", "32", "--symmetric"]

const readTensors = (folder: string) =>
  Result.getOrThrow(decodeRawSafetensors(readFileSync(`${folder}/model.safetensors`), folder))

const readPacked = (folder: string) => {
  const tensors = readTensors(folder)
  const config = readFileSync(`${folder}/config.json`)
  return Result.getOrThrow(decodePackQuantizedModel({ config, tensors }, "config.json", folder))
}

/** Of a matrix, each weight as `scale · (code − zero)`. */
const weightsOf = ({ groupSize, codes, scales, zeroPoints }: QuantizedMatrix) =>
  Array.from(codes, (code, i) => {
    const group = Math.floor(i / groupSize)
    return Math.fround(scales[group] * (code - zeroPoints[group]))
  })

describe.concurrent("espalier quantize", () => {
  it(
    "writes the same codes as packed integers, as a GGUF file, and as weights on their grid",
    { timeout: 240_000 },
    inPlace(async (place) => {
      const write = async (...args: ReadonlyArray<string>) => {
        const ended = await place.espalier([...gptq, ...inGroups, ...args, "--json"])
        assert.strictEqual(ended.code, 0, ended.error)
        return JSON.parse(ended.out) as Readonly<Record<string, unknown>>
      }
      const dense = await write("--out", "dense", "--layer-errors")
      assert.strictEqual(dense.bitsPerWeight, 4.5)
      assert.property(dense, "layerError")
      assert.deepStrictEqual(readdirSync(place.at("dense")), readdirSync(place.at("model")))
      await write("--out", "packed", "--format", "pack-quantized")
      assert.deepStrictEqual(readdirSync(place.at("packed")), readdirSync(place.at("model")))
      const told = await write("--out", "m.gguf", "--format", "gguf")
      assert.deepStrictEqual(told.kept, [])

      const packed = readPacked(place.at("packed"))
      assert.strictEqual(packed.quantized.size, 14)
      const tensors = readTensors(place.at("dense"))
      const up = tensors.get("model.layers.1.mlp.up_proj.weight")!
      const { buffer } = Uint8Array.from(up.bytes)
      const matrix = packed.quantized.get("blocks.1.up")!
      assert.deepStrictEqual(Array.from(new Float32Array(buffer)), weightsOf(matrix))

      const bytes = readFileSync(place.at("m.gguf"))
      const gguf = Result.getOrThrow(decodeGguf(bytes, "m.gguf"))
      for (const [path, { codes, bits }] of packed.quantized) {
        const found = decodeGgufCodes(gguf.tensors.get(ggufName(path))!)
        assert.deepStrictEqual(found?.codes, codes, path)
        assert.strictEqual(found?.bits, bits)
      }
      const { model } = Result.getOrThrow(decodeGgufModel(bytes, "m.gguf"))
      assert.strictEqual(model.config.hiddenDimension, 64)

      const generate = ["generate", "--prompt", "Mia", "--tokens", "4", "--device", "wasm"]
      const tokenizer = ["--tokenizer", "model/tokenizer.json"]
      for (const source of [["dense"], ["packed"], ["m.gguf", ...tokenizer]]) {
        const ended = await place.espalier([...generate, "--model", ...source])
        assert.strictEqual(ended.code, 0, ended.error)
      }
      const again = await place.espalier([...gptq, "--out", "dense"])
      assert.strictEqual(again.code, 2)
      assert.match(again.error, /exists already/)
      assertFriendly(again.error)
    }),
  )

  it(
    "takes every method, and lists what a format does not hold",
    { timeout: 240_000 },
    inPlace(async (place) => {
      const small = ["--option", "steps=2", "--option", "rank=1", "--batch", "2"]
      const ended = await place.espalier([
        ...gptq.with(5, "dl-qat"),
        ...small,
        "--bits",
        "8",
        "--format",
        "gguf",
        "--gguf-type",
        "Q8_0",
        "--out",
        "m.gguf",
      ])
      assert.strictEqual(ended.code, 0, ended.error)
      assert.match(ended.error, /blk\.0\.attn_q\.weight is in F16: no type has 8 bits with a zero/)
      assert.match(ended.out, /rank 1, .* % trained/)
      const bare = await place.espalier([
        ...rtn,
        "--bits",
        "3",
        "--out",
        "packed",
        "--format",
        "pack-quantized",
      ])
      assert.strictEqual(bare.code, 0, bare.error)
      // 3 bits with zero points are 4 bits without.
      assert.strictEqual(readPacked(place.at("packed")).quantized.get("blocks.0.query")?.bits, 4)
    }),
  )

  it(
    "writes what a method changes besides linears, in every format",
    { timeout: 240_000 },
    inPlace(async (place) => {
      const uneven = makeTinyModel({ dimension: 32, hiddenDimension: 64 })
      uneven.model.parameters.blocks[1].attentionNorm.data[0] = 20
      writeModel(place.at("model"), uneven)
      for (const format of ["dense", "pack-quantized"]) {
        const job = [...gptq.with(5, "awq"), "--option", "steps=2", "--format", format]
        const ended = await place.espalier([...job, "--out", format])
        assert.strictEqual(ended.code, 0, ended.error)
      }
      const [before, dense, packed] = ["model", "dense", "pack-quantized"].map((folder) =>
        readTensors(place.at(folder)),
      )
      const gain = "model.layers.1.input_layernorm.weight"
      assert.notDeepEqual(dense.get(gain), before.get(gain))
      assert.deepStrictEqual(packed.get(gain)?.bytes, dense.get(gain)?.bytes)
      const embedding = "model.embed_tokens.weight"
      assert.deepStrictEqual(dense.get(embedding)?.bytes, before.get(embedding)?.bytes)
    }),
  )

  it(
    "says what is wrong with its input, and writes nothing",
    { timeout: 240_000 },
    inPlace(async (place) => {
      const broken = makeTinyModel({ dimension: 32, hiddenDimension: 64 })
      const arrays: HostArray.HostArray = broken.model.parameters.blocks[1].gate
      arrays.data[3] = NaN
      writeModel(place.at("broken"), broken)
      const tiny = makeTinyModel({ dimension: 32, hiddenDimension: 64 })
      tiny.model.parameters.blocks[0].key.data.fill(1e-42)
      writeModel(place.at("denormal"), tiny)
      const large = makeTinyModel({ dimension: 32, hiddenDimension: 64 })
      large.model.parameters.blocks[0].key.data[0] = 3e6
      writeModel(place.at("large"), large)
      const cases: ReadonlyArray<readonly [ReadonlyArray<string>, number, RegExp]> = [
        [[...rtn, "--bits", "1"], 2, /bits/],
        [[...rtn, "--bits", "9"], 2, /bits/],
        [[...rtn, "--group", "64"], 2, /blocks\.0\.query has 32 inputs, which groups of 64/],
        [gptq.slice(0, 6), 2, /gptq needs a text to calibrate on/],
        [[...rtn, "--layer-errors"], 2, /--layer-errors needs a text/],
        [[...gptq, "--option", "dampnig=1"], 2, /has no such option/],
        [[...gptq, "--option", "damping=much"], 2, /--option damping=much/],
        [[...gptq, "--option", "keep=most"], 2, /--option keep=most/],
        [[...gptq, "--option", "keep=3:5"], 2, /32 inputs, which groups of 5/],
        [rtn.with(1, "nowhere"), 2, /nowhere/],
        [rtn.with(1, "broken"), 2, /1 weights of blocks\.1\.gate are NaN/],
        [rtn.with(1, "denormal"), 2, /scale of group 0 of output 0 of blocks\.0\.key/],
        [[...rtn.with(1, "large"), "--group", "32", "--format", "gguf"], 2, /F16|half|Q4_1/],
      ]
      for (const [args, code, says] of cases) {
        const ended = await place.espalier([...args, "--out", "out"])
        assert.strictEqual(ended.code, code, `${args.join(" ")}: ${ended.error}`)
        assertFriendly(ended.error)
        assert.match(ended.error, says)
        assert.isFalse(existsSync(place.at("out")))
        assert.isFalse(existsSync(place.at("out.partial")))
      }
      // A folder where the file should be under way: nothing of the result is left.
      mkdirSync(place.at("out.partial", "in-the-way"), { recursive: true })
      const stuck = await place.espalier([...rtn, "--format", "gguf", "--out", "out"])
      assert.strictEqual(stuck.code, 2, stuck.error)
      assertFriendly(stuck.error)
      assert.isFalse(existsSync(place.at("out")))
    }),
  )
})
