import type { Tokenizer } from "@espalier/models"
import {
  CheckpointFormatError,
  checkTokenizer,
  decodeLlama2c,
  decodeTokenizer,
  decodeVocabularyAndMerges,
  makeLlama,
  openCheckpoint,
} from "@espalier/models"
import { unreadable } from "@espalier/pipeline"
import { Effect, FileSystem, Path } from "effect"
import type { ModelValue } from "../artifacts/model.ts"

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
    hint: "A llama2.c checkpoint holds no tokenizer: name its file with tokenizer (--tokenizer).",
  })

/** All of a folder's weights in memory. */
const readFolderModel = Effect.fnUntraced(function* (folder: string) {
  const { model, read } = yield* openCheckpoint(folder)
  return model.withParameters(yield* read(model.parameters))
})

const readLlama2c = Effect.fnUntraced(function* (path: string) {
  const bytes = yield* readBytes(path)
  const { config, parameters } = yield* Effect.fromResult(decodeLlama2c(bytes, path))
  return makeLlama(config, parameters)
})

/**
 * A model from a llama2.c checkpoint (v0, v1 or v2) or from a folder in the Hugging Face layout,
 * with its tokenizer checked against it.
 */
export const readModel = Effect.fnUntraced(function* (path: string, tokenizerPath?: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const { type } = yield* Effect.mapError(fileSystem.stat(path), unreadable(path))
  const isFolder = type === "Directory"
  const model = isFolder ? yield* readFolderModel(path) : yield* readLlama2c(path)
  if (!isFolder && tokenizerPath === undefined) return yield* tokenizerNeeded(path)
  const found: { readonly tokenizer: Tokenizer; readonly file: string } = yield* readTokenizer(
    path,
    tokenizerPath,
  )
  const { tokenizer, file } = found
  yield* Effect.fromResult(checkTokenizer(tokenizer, model.vocabularySize, file))
  const value: ModelValue = { model, tokenizer }
  return value
})
