import type { LlamaConfig, StoredDType } from "@espalier/models"
import {
  encodeHuggingFaceConfig,
  encodeTokenizer,
  huggingFaceNames,
  llamaParameterEntries,
  llamaParameterShapes,
  makeWordTokenizer,
} from "@espalier/models"
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"

/** What {@link writeRandomCheckpoint} writes. */
export interface RandomCheckpoint {
  readonly config: LlamaConfig
  readonly dtype: StoredDType
  /** A shard is closed when it has reached so many bytes. */
  readonly shardBytes: number
  /** Words of the text beside the model. */
  readonly words: number
  readonly seed: number
}

interface Tensor {
  readonly name: string
  readonly shape: ReadonlyArray<number>
  readonly size: number
}

const widths = { F32: 4, F16: 2, BF16: 2 } as const

const tensorsOf = (config: LlamaConfig): ReadonlyArray<Tensor> => {
  const names = huggingFaceNames({ family: "llama", config })
  return llamaParameterEntries(llamaParameterShapes(config)).map(([path, shape]) => ({
    name: names.get(path)!,
    shape,
    size: shape.reduce((product, extent) => product * extent, 1),
  }))
}

const splitIntoShards = (
  tensors: ReadonlyArray<Tensor>,
  width: number,
  shardBytes: number,
): ReadonlyArray<ReadonlyArray<Tensor>> => {
  const shards: Array<Array<Tensor>> = [[]]
  let bytes = 0
  for (const tensor of tensors) {
    if (bytes >= shardBytes) {
      shards.push([])
      bytes = 0
    }
    shards.at(-1)!.push(tensor)
    bytes += tensor.size * width
  }
  return shards
}

const headerOf = (tensors: ReadonlyArray<Tensor>, dtype: StoredDType): Uint8Array => {
  let reached = 0
  const entries = tensors.map(({ name, shape, size }) => {
    const from = reached
    reached += size * widths[dtype]
    return [name, { dtype, shape, data_offsets: [from, reached] }]
  })
  const json = JSON.stringify(Object.fromEntries([["__metadata__", { format: "pt" }], ...entries]))
  const bytes = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8))
  const header = new Uint8Array(8 + bytes.length)
  new DataView(header.buffer).setBigUint64(0, BigInt(bytes.length), true)
  header.set(bytes, 8)
  return header
}

/** Uniform numbers in [-1, 1) of 23 bits: xorshift32 (Marsaglia 2003). */
const makeUniform = (seed: number) => {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1
  return (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >> 8) / 2 ** 23
  }
}

/** Fills a piece with numbers of the deviation 0.02, or with ones. */
const fill = (piece: Uint8Array, dtype: StoredDType, gains: boolean, uniform: () => number) => {
  const scale = 0.02 * Math.sqrt(3)
  const draw = gains ? () => 1 : () => uniform() * scale
  if (dtype === "F32") {
    const floats = new Float32Array(piece.buffer, 0, piece.length / 4)
    for (let i = 0; i < floats.length; i++) floats[i] = draw()
    return
  }
  const bits = new Uint16Array(piece.buffer, 0, piece.length / 2)
  const float = new Float32Array(1)
  const wide = new Uint32Array(float.buffer)
  for (let i = 0; i < bits.length; i++) {
    float[0] = draw()
    // Cut off, not rounded: a random number is as good as its neighbour.
    bits[i] = dtype === "BF16" ? wide[0] >>> 16 : halfBits(wide[0])
  }
}

/** The upper bits of an f32 as an f16; what is too small for a normal one becomes zero. */
const halfBits = (bits: number): number => {
  const exponent = ((bits >>> 23) & 0xff) - 112
  return exponent <= 0 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff)
}

const writeShard = (
  path: string,
  tensors: ReadonlyArray<Tensor>,
  dtype: StoredDType,
  uniform: () => number,
) => {
  const file = openSync(path, "w")
  try {
    writeSync(file, headerOf(tensors, dtype))
    const buffer = new Uint8Array(4 * 1024 * 1024)
    for (const { shape, size } of tensors) {
      const bytes = size * widths[dtype]
      for (let done = 0; done < bytes; done += buffer.length) {
        const piece = buffer.subarray(0, Math.min(buffer.length, bytes - done))
        fill(piece, dtype, shape.length === 1, uniform)
        for (let written = 0; written < piece.length;) {
          written += writeSync(file, piece, written)
        }
      }
    }
  } finally {
    closeSync(file)
  }
}

const shardName = (i: number, count: number) => {
  const padded = (n: number) => String(n).padStart(5, "0")
  return count === 1
    ? "model.safetensors"
    : `model-${padded(i + 1)}-of-${padded(count)}.safetensors`
}

/** Words that a tokenizer of this many tokens knows: it has three special ones. */
const inventWords = (vocabulary: number): ReadonlyArray<string> =>
  Array.from({ length: vocabulary - 3 }, (_, i) => `w${i.toString(36)}`)

/**
 * Writes a LLaMA-style folder in the Hugging Face layout with random weights, a tokenizer of made-up
 * words and `text.jsonl`, a text of them. The same options give the same bytes. Memory holds a few MiB.
 */
export const writeRandomCheckpoint = (folder: string, options: RandomCheckpoint): void => {
  const { config, dtype, shardBytes, words, seed } = options
  const uniform = makeUniform(seed)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "config.json"), encodeHuggingFaceConfig({ family: "llama", config }))
  const shards = splitIntoShards(tensorsOf(config), widths[dtype], shardBytes)
  const files: Array<readonly [string, string]> = []
  for (const [i, tensors] of shards.entries()) {
    const name = shardName(i, shards.length)
    writeShard(join(folder, name), tensors, dtype, uniform)
    for (const tensor of tensors) files.push([tensor.name, name])
  }
  if (shards.length > 1) {
    const total = tensorsOf(config).reduce((sum, { size }) => sum + size * widths[dtype], 0)
    const index = { metadata: { total_size: total }, weight_map: Object.fromEntries(files) }
    writeFileSync(
      join(folder, "model.safetensors.index.json"),
      `${JSON.stringify(index, undefined, 2)}\n`,
    )
  }
  const known = inventWords(config.vocabularySize)
  writeFileSync(join(folder, "tokenizer.json"), encodeTokenizer(makeWordTokenizer(known)))
  const lines = Array.from({ length: Math.ceil(words / 100) }, () => {
    const draw = () => known[Math.floor(((uniform() + 1) / 2) * known.length)]
    return JSON.stringify({ text: Array.from({ length: 100 }, draw).join(" ") })
  })
  writeFileSync(join(folder, "text.jsonl"), `${lines.join("\n")}\n`)
}
