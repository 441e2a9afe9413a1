import {
  CheckpointFormatError,
  checkTokenizer,
  decodeLlama2c,
  decodeTokenizer,
  makeLlama,
} from "@espalier/models"
import { unreadable } from "@espalier/pipeline"
import { Effect, FileSystem, Path } from "effect"
import type { ModelValue } from "../artifacts/model.ts"
import { decodeLlamaFiles, decodeModel } from "../artifacts/model.ts"

const readBytes = Effect.fnUntraced(function* (path: string) {
  const fileSystem = yield* FileSystem.FileSystem
  return yield* Effect.mapError(fileSystem.readFile(path), unreadable(path))
})

const readFolder = Effect.fnUntraced(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = ["config.json", "model.safetensors", "tokenizer.bin", "tokenizer.json"]
  const files: Record<string, Uint8Array> = {}
  for (const name of names) {
    const file = path.join(folder, name)
    if (yield* Effect.orElseSucceed(fileSystem.exists(file), () => false)) {
      files[name] = yield* readBytes(file)
    }
  }
  return files
})

const tokenizerNeeded = (path: string) =>
  new CheckpointFormatError({
    path,
    expected: "a tokenizer beside the checkpoint",
    found: "none",
    hint: "A llama2.c checkpoint holds no tokenizer: name its file with tokenizer (--tokenizer).",
  })

/**
 * A model from a llama2.c checkpoint (v0, v1 or v2) or from a folder in the Hugging Face layout,
 * with its tokenizer checked against it.
 */
export const readModel = Effect.fnUntraced(function* (path: string, tokenizerPath?: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const { type } = yield* Effect.mapError(fileSystem.stat(path), unreadable(path))
  const isFolder = type === "Directory"
  if (isFolder && tokenizerPath === undefined) {
    const value: ModelValue = yield* decodeModel(yield* readFolder(path), path)
    yield* Effect.fromResult(checkTokenizer(value.tokenizer, value.model.vocabularySize, path))
    return value
  }
  const model = isFolder
    ? yield* decodeLlamaFiles(yield* readFolder(path), path)
    : yield* Effect.map(
        Effect.flatMap(readBytes(path), (bytes) => Effect.fromResult(decodeLlama2c(bytes, path))),
        ({ config, parameters }) => makeLlama(config, parameters),
      )
  if (tokenizerPath === undefined) return yield* tokenizerNeeded(path)
  const bytes = yield* readBytes(tokenizerPath)
  const tokenizer = yield* Effect.fromResult(decodeTokenizer(bytes, tokenizerPath))
  yield* Effect.fromResult(checkTokenizer(tokenizer, model.vocabularySize, tokenizerPath))
  const value: ModelValue = { model, tokenizer }
  return value
})
