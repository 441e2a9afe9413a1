import { Effect, FileSystem, Path, Result, Schema } from "effect"
import { decodeStrictUtf8 } from "../bytes.ts"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import { findRepeatedKey } from "../json_keys.ts"
import { decodeHeader, decodeHeaderLength, headerStart } from "../safetensors_header.ts"
import { guardFile } from "./checkpoint_file_error.ts"
import { readBytes } from "./read_bytes.ts"
import type { StoredTensor } from "./stored_array.ts"

const single = "model.safetensors"
const index = "model.safetensors.index.json"

const Index = Schema.fromJsonString(
  Schema.Struct({ weight_map: Schema.Record(Schema.String, Schema.String) }),
)
const decodeIndex = Schema.decodeUnknownResult(Index)

/** The file of each tensor, as an index file says it. */
const readWeightMap = (
  bytes: Uint8Array,
  path: string,
): Result.Result<ReadonlyMap<string, string>, CheckpointFormatError> => {
  const fail = (expected: string, found: string, hint: string) =>
    Result.fail(new CheckpointFormatError({ path, expected, found, hint }))
  const text = decodeStrictUtf8(bytes)
  const decoded = text === undefined ? undefined : decodeIndex(text)
  if (text === undefined || decoded === undefined || Result.isFailure(decoded)) {
    const hint = "Fetch or export the index again."
    return fail("a JSON object with a weight_map from tensors to files", "something else", hint)
  }
  const repeated = findRepeatedKey(text)
  if (repeated !== undefined) {
    return fail("every name once", `${repeated} twice`, "Fetch or export the index again.")
  }
  const files = Object.entries(decoded.success.weight_map)
  const outside = files.find(([, file]) => /[/\\]|^\.*$/.test(file))
  if (outside !== undefined) {
    const [name, file] = outside
    return fail(`a file of the same folder for ${name}`, file, "Shards lie beside their index.")
  }
  return Result.succeed(new Map(files))
}

/** The tensors of one safetensors file; reads its header and nothing more. */
const readShard = Effect.fnUntraced(function* (folder: string, file: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = (yield* Path.Path).join(folder, file)
  const opened = yield* guardFile(path, "read")(fileSystem.open(path))
  const { size } = yield* guardFile(path, "read")(opened.stat)
  const bytes = Number(size)
  const start = new Uint8Array(Math.min(bytes, headerStart))
  yield* readBytes(opened, path, start, 0)
  const length = yield* Effect.fromResult(decodeHeaderLength(start, bytes, path))
  const text = new Uint8Array(length)
  yield* readBytes(opened, path, text, headerStart)
  const data = headerStart + length
  const { entries } = yield* Effect.fromResult(decodeHeader(text, bytes - data, path))
  return entries.map((entry): StoredTensor => ({
    ...entry,
    file,
    from: data + entry.from,
    to: data + entry.to,
  }))
}, Effect.scoped)

const missing = (path: string, expected: string, found: string, hint: string) =>
  new CheckpointFormatError({ path, expected, found, hint })

/** The weight map of an index file, all of whose files are there. */
const checkedIndex = Effect.fnUntraced(function* (folder: string, listed: ReadonlyArray<string>) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = (yield* Path.Path).join(folder, index)
  const bytes = yield* guardFile(path, "read")(fileSystem.readFile(path))
  const weightMap = yield* Effect.fromResult(readWeightMap(bytes, path))
  for (const [name, file] of weightMap) {
    if (!listed.includes(file)) {
      const hint = "A part of the weights is missing; fetch it."
      return yield* missing(path, `${file}, which has ${name}`, "no such file", hint)
    }
  }
  return weightMap
})

/**
 * Every tensor of a folder with `model.safetensors`, or with `model.safetensors.index.json` and the
 * shards that it names; as transformers does, the former is taken where there are both. Reads headers
 * only.
 */
export const readShards = Effect.fnUntraced(function* (
  folder: string,
  listed: ReadonlyArray<string>,
) {
  const path = yield* Path.Path
  if (!listed.includes(single) && !listed.includes(index)) {
    const other = listed.find((name) => /\.(bin|pth?|gguf|h5|msgpack)$/.test(name))
    return yield* missing(
      folder,
      `${single} or ${index}`,
      other ?? "neither",
      other === undefined ? "Are the weights missing?" : "Convert the weights to safetensors.",
    )
  }
  const weightMap = listed.includes(single)
    ? new Map<string, string>()
    : yield* checkedIndex(folder, listed)
  const files = listed.includes(single) ? [single] : [...new Set(weightMap.values())].sort()
  const tensors = new Map<string, StoredTensor>()
  for (const file of files) {
    for (const tensor of yield* readShard(folder, file)) {
      const other = tensors.get(tensor.name)
      if (other !== undefined) {
        const found = `another in ${other.file}`
        const hint = "Which of the two is meant cannot be known."
        return yield* missing(path.join(folder, file), `${tensor.name} once`, found, hint)
      }
      tensors.set(tensor.name, tensor)
    }
  }
  for (const [name, file] of weightMap) {
    const found = tensors.get(name)?.file
    if (found !== file) {
      const hint = "Index and weights do not belong together; fetch them again."
      const where = path.join(folder, index)
      const what = found === undefined ? "no such tensor" : `it in ${found}`
      return yield* missing(where, `${name} in ${file}`, what, hint)
    }
  }
  return { files, tensors }
})
