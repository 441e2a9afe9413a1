import { sha256 } from "@espalier/tensor"
import { Effect, FileSystem, Option, Path, Schema } from "effect"
import { decodeStrictUtf8 } from "../bytes.ts"
import type { Checkpoint } from "./checkpoint.ts"
import { headerStart } from "../safetensors_header.ts"
import { guardFile } from "./checkpoint_file_error.ts"
import { readBytes } from "./read_bytes.ts"

/** The file of an unfinished copy that says how far it is. */
export const progressFile = "espalier-progress.json"

/** The same, while it is written. */
export const progressDraft = `${progressFile}.new`

const Progress = Schema.Struct({
  version: Schema.Literal(1),
  job: Schema.String,
  /** What identifies the source. */
  source: Schema.String,
  done: Schema.Int,
})
const ProgressFile = Schema.fromJsonString(Progress)
const decode = Schema.decodeUnknownOption(ProgressFile)
const encode = Schema.encodeSync(ProgressFile)

/** The regular files of a folder with their sizes, in the order of their names. */
export const listFiles = Effect.fnUntraced(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = yield* guardFile(folder, "read")(fileSystem.readDirectory(folder))
  const files: Array<{ readonly name: string; readonly size: number }> = []
  for (const name of names.toSorted()) {
    const full = path.join(folder, name)
    const { type, size } = yield* guardFile(full, "read")(fileSystem.stat(full))
    if (type === "File") files.push({ name, size: Number(size) })
  }
  return files
})

const sampleBytes = 64 * 1024

const hexadecimal = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** The header of a file and the data at its two ends, which differ between two states of a model. */
const sampleShard = Effect.fnUntraced(function* (
  checkpoint: Checkpoint,
  file: string,
  size: number,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = (yield* Path.Path).join(checkpoint.path, file)
  const opened = yield* guardFile(path, "read")(fileSystem.open(path))
  let data = size
  for (const tensor of checkpoint.tensors.values()) {
    if (tensor.file === file) data = Math.min(data, tensor.from)
  }
  const sample = Effect.fnUntraced(function* (from: number, to: number) {
    const bytes = new Uint8Array(to - from)
    yield* readBytes(opened, path, bytes, from)
    return bytes
  })
  const header = decodeStrictUtf8(yield* sample(headerStart, data))
  const start = yield* sample(data, Math.min(size, data + sampleBytes))
  const end = yield* sample(Math.max(data, size - sampleBytes), size)
  return [header, hexadecimal(start), hexadecimal(end)].map((text) => sha256(text ?? ""))
}, Effect.scoped)

/**
 * What identifies a source: names and sizes of its files, headers, and some of the data. Reading all of
 * it would take as long as copying it.
 */
export const identify = Effect.fnUntraced(function* (checkpoint: Checkpoint) {
  const files = yield* listFiles(checkpoint.path)
  const samples: Array<ReadonlyArray<string>> = []
  for (const { name, size } of files) {
    if (checkpoint.files.includes(name)) samples.push(yield* sampleShard(checkpoint, name, size))
  }
  return sha256(JSON.stringify([files, samples]))
})

/** How many parts of this job and source are done in a folder; none where it is not theirs. */
export const readProgress = Effect.fnUntraced(function* (
  folder: string,
  job: string,
  source: string,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = (yield* Path.Path).join(folder, progressFile)
  const there = yield* guardFile(path, "read")(fileSystem.exists(path))
  if (!there) return Option.none<number>()
  const bytes = yield* guardFile(path, "read")(fileSystem.readFile(path))
  return Option.fromUndefinedOr(decodeStrictUtf8(bytes)).pipe(
    Option.flatMap(decode),
    Option.filter((progress) => progress.job === job && progress.source === source),
    Option.map(({ done }) => done),
  )
})

/** Records how many parts are done: under another name first, so that the file is never half there. */
export const writeProgress = Effect.fnUntraced(function* (
  folder: string,
  progress: Omit<typeof Progress.Type, "version">,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const [draft, final] = [path.join(folder, progressDraft), path.join(folder, progressFile)]
  const save = Effect.gen(function* () {
    const file = yield* fileSystem.open(draft, { flag: "w" })
    yield* file.writeAll(new TextEncoder().encode(encode({ version: 1, ...progress })))
    yield* file.sync
  }).pipe(Effect.scoped, Effect.andThen(fileSystem.rename(draft, final)))
  yield* guardFile(final, "write")(save)
})
