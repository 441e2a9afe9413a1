import type { CausalLM, Tokenizer } from "@espalier/models"
import {
  CheckpointFormatError,
  checkTokenizer,
  decodeLlama2c,
  decodePackQuantizedModel,
  decodeRawSafetensors,
  decodeTokenizer,
  decodeVocabularyAndMerges,
  makeLlama,
  openCheckpoint,
  readGgufModel,
} from "@espalier/models"
import { unreadable } from "@espalier/pipeline"
import { Notices } from "@espalier/runtime"
import { Effect, FileSystem, Path } from "effect"
import type { ModelValue } from "../artifacts/model.ts"
import type { QuantizedWeights } from "../artifacts/quantized_weights.ts"
import {
  decodeQuantizedWeights,
  quantizedFiles,
  standFor,
  weightsOf,
} from "../artifacts/quantized_weights.ts"

const readBytes = Effect.fnUntraced(function* (path: string) {
  const fileSystem = yield* FileSystem.FileSystem
  return yield* Effect.mapError(fileSystem.readFile(path), unreadable(path))
})

const readIfThere = Effect.fnUntraced(function* (path: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const there = yield* Effect.orElseSucceed(fileSystem.exists(path), () => false)
  return there ? yield* readBytes(path) : undefined
})

/** The tokenizer in a folder, with the file it came from; `undefined` where there is none. */
const readFolderTokenizer = Effect.fnUntraced(function* (folder: string) {
  const path = yield* Path.Path
  const at = (name: string) => path.join(folder, name)
  const config = yield* readIfThere(at("tokenizer_config.json"))
  for (const file of [at("tokenizer.bin"), at("tokenizer.json")]) {
    const bytes = yield* readIfThere(file)
    if (bytes === undefined) continue
    const tokenizer = yield* Effect.fromResult(decodeTokenizer(bytes, file, { config }))
    return { tokenizer, file }
  }
  const file = at("vocab.json")
  const [vocabulary, merges] = [yield* readIfThere(file), yield* readIfThere(at("merges.txt"))]
  if (vocabulary === undefined || merges === undefined) return undefined
  const tokenizer = yield* Effect.fromResult(
    decodeVocabularyAndMerges({ vocabulary, merges }, file, { config }),
  )
  return { tokenizer, file }
})

/** The tokenizer in the file that was given, else in the folder. */
export const readTokenizer = Effect.fnUntraced(function* (folder: string, file?: string) {
  if (file !== undefined) {
    const tokenizer = yield* Effect.fromResult(decodeTokenizer(yield* readBytes(file), file))
    return { tokenizer, file }
  }
  const found = yield* readFolderTokenizer(folder)
  if (found !== undefined) return found
  return yield* new CheckpointFormatError({
    path: folder,
    expected: "a tokenizer beside the checkpoint (tokenizer.json)",
    found: "none",
    hint: "Name its file with tokenizer (--tokenizer).",
  })
})

const tokenizerNeeded = (path: string) =>
  new CheckpointFormatError({
    path,
    expected: "a tokenizer beside the checkpoint",
    found: "none",
    hint: "The file holds no tokenizer: name its file with tokenizer (--tokenizer).",
  })

/** A model, and the tokenizer and the codes where its files hold them. */
interface FoundModel {
  readonly model: CausalLM
  readonly tokenizer?: Tokenizer
  readonly quantized?: QuantizedWeights
}

/** A folder in the layout pack-quantized; `undefined` for any other. */
const readPacked = Effect.fnUntraced(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const configPath = path.join(folder, "config.json")
  const config = yield* readIfThere(configPath)
  // The reader of configurations says what is wrong with others.
  if (config === undefined || !Buffer.from(config).includes('"pack-quantized"')) return undefined
  const names = yield* Effect.mapError(fileSystem.readDirectory(folder), unreadable(folder))
  const files = names.filter((name) => name.endsWith(".safetensors")).toSorted()
  const shards = yield* Effect.forEach(files, (name) => {
    const file = path.join(folder, name)
    return Effect.flatMap(readBytes(file), (bytes) =>
      Effect.fromResult(decodeRawSafetensors(bytes, file)),
    )
  })
  const tensors = new Map(shards.flatMap((shard) => [...shard]))
  const unpacked = yield* Effect.fromResult(
    decodePackQuantizedModel({ config, tensors }, configPath, folder),
  )
  const found: FoundModel = { model: unpacked.model, quantized: weightsOf(unpacked.quantized) }
  return found
})

/** The codes that lie beside the weights, if they are theirs. */
const readCodes = Effect.fnUntraced(function* (folder: string, model: CausalLM) {
  const path = yield* Path.Path
  const files: Record<string, Uint8Array> = {}
  for (const name of quantizedFiles) {
    const bytes = yield* readIfThere(path.join(folder, name))
    if (bytes !== undefined) files[name] = bytes
  }
  const codes = yield* Effect.fromResult(decodeQuantizedWeights(files, folder))
  if (codes === undefined || standFor(codes, model)) return codes
  yield* Notices.report(`${folder}: ${quantizedFiles.join(", ")}: not of these weights, left out`)
  return undefined
})

/** All of a folder's weights in memory. */
const readFolderModel = Effect.fnUntraced(function* (folder: string) {
  const packed = yield* readPacked(folder)
  if (packed !== undefined) return packed
  const { model: stored, read } = yield* openCheckpoint(folder)
  const model = stored.withParameters(yield* read(stored.parameters))
  const quantized = yield* readCodes(folder, model)
  const found: FoundModel = quantized === undefined ? { model } : { model, quantized }
  return found
})

const readGguf = Effect.fnUntraced(function* (file: string) {
  const { model, tokenizer } = yield* readGgufModel(file)
  const found: FoundModel = tokenizer === undefined ? { model } : { model, tokenizer }
  return found
})

const readLlama2c = Effect.fnUntraced(function* (path: string) {
  const bytes = yield* readBytes(path)
  const { config, parameters } = yield* Effect.fromResult(decodeLlama2c(bytes, path))
  const found: FoundModel = { model: makeLlama(config, parameters) }
  return found
})

/**
 * A model from a llama2.c checkpoint (v0, v1 or v2), a GGUF file, or a folder in the Hugging Face
 * layout, packed integers included, with its tokenizer checked against it.
 */
export const readModel = Effect.fnUntraced(function* (path: string, tokenizerPath?: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const { type } = yield* Effect.mapError(fileSystem.stat(path), unreadable(path))
  const isFolder = type === "Directory"
  const { tokenizer: own, ...found } = yield* isFolder
    ? readFolderModel(path)
    : path.endsWith(".gguf")
      ? readGguf(path)
      : readLlama2c(path)
  if (own !== undefined && tokenizerPath === undefined) {
    const value: ModelValue = { ...found, tokenizer: own }
    return value
  }
  if (!isFolder && tokenizerPath === undefined) return yield* tokenizerNeeded(path)
  const { tokenizer, file } = yield* readTokenizer(path, tokenizerPath)
  yield* Effect.fromResult(checkTokenizer(tokenizer, found.model.vocabularySize, file))
  const value: ModelValue = { ...found, tokenizer }
  return value
})
