import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Layer, PlatformError } from "effect"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Result } from "effect"
import { encodeHuggingFaceConfig } from "../hugging_face/configuration.ts"
import type { HuggingFaceModel } from "../hugging_face/model.ts"
import { toHuggingFace } from "../hugging_face/tensors.ts"
import { encodeSafetensors } from "../safetensors.ts"
import type { StoredDType } from "../stored_dtype.ts"

/** A new folder that goes with the current scope. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "espalier-checkpoint-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true })),
)

/** How {@link writeFolder} writes a model. */
export interface FolderOptions {
  readonly dtype?: StoredDType
  /** Shards with an index; one file without by default. */
  readonly shards?: number
  /** Changes the names of the tensors. */
  readonly rename?: (name: string) => string
}

const shardName = (i: number, count: number) => {
  const padded = (n: number) => String(n).padStart(5, "0")
  return `model-${padded(i + 1)}-of-${padded(count)}.safetensors`
}

/** Writes a model as transformers does, with a file that has nothing to do with it. */
export const writeFolder = (
  folder: string,
  model: HuggingFaceModel,
  { dtype = "F32", shards = 1, rename = (name) => name }: FolderOptions = {},
): void => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "config.json"), encodeHuggingFaceConfig(model))
  writeFileSync(join(folder, "notes.txt"), "not a weight\n")
  const tensors = [...Result.getOrThrow(toHuggingFace(model))].map(
    ([name, leaf]) => [rename(name), leaf] as const,
  )
  const encode = (part: typeof tensors) => encodeSafetensors(new Map(part), { format: "pt" }, dtype)
  if (shards === 1) {
    writeFileSync(join(folder, "model.safetensors"), encode(tensors))
    return
  }
  const shardOf = (i: number) => Math.floor((i * shards) / tensors.length)
  for (let shard = 0; shard < shards; shard++) {
    const part = tensors.filter((_, i) => shardOf(i) === shard)
    writeFileSync(join(folder, shardName(shard, shards)), encode(part))
  }
  const files = tensors.map(([name], i) => [name, shardName(shardOf(i), shards)])
  const index = { metadata: { total_size: 0 }, weight_map: Object.fromEntries(files) }
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify(index))
}

/** The files of a folder with their bytes. */
export const readFolder = (folder: string): ReadonlyMap<string, Uint8Array> =>
  new Map(
    readdirSync(folder)
      .toSorted()
      .map((name) => [name, Uint8Array.from(readFileSync(join(folder, name)))]),
  )

/** What the file system of {@link watchedFiles} has seen, and what it may do. */
export interface FileWatch {
  bytesRead: number
  bytesWritten: number
  /** Writing more than this fails as on a full disk. */
  room: number
}

const diskFull = PlatformError.systemError({
  _tag: "Unknown",
  module: "FileSystem",
  method: "writeAll",
  description: "ENOSPC: no space left on device, write",
})

const watchFile = (file: FileSystem.File, watch: FileWatch): FileSystem.File => ({
  [FileSystem.FileTypeId]: FileSystem.FileTypeId,
  stat: file.stat,
  sync: file.sync,
  seek: (offset, from) => file.seek(offset, from),
  read: (buffer, options) =>
    Effect.tap(file.read(buffer, options), (count) =>
      Effect.sync(() => {
        watch.bytesRead += count
      }),
    ),
  readAlloc: (size, options) => file.readAlloc(size, options),
  truncate: (length) => file.truncate(length),
  write: (buffer) => file.write(buffer),
  writeAll: (buffer) =>
    Effect.suspend(() => {
      const room = Math.max(0, watch.room - watch.bytesWritten)
      watch.bytesWritten += buffer.length
      if (buffer.length <= room) return file.writeAll(buffer)
      return Effect.andThen(file.writeAll(buffer.subarray(0, room)), Effect.fail(diskFull))
    }),
})

/** Node's files, counted. */
export const watchedFiles = (watch: FileWatch) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fileSystem) => ({
      ...fileSystem,
      open: (path: string, options?: Parameters<typeof fileSystem.open>[1]) =>
        Effect.map(fileSystem.open(path, options), (file) => watchFile(file, watch)),
    })),
  ).pipe(Layer.provideMerge(NodeServices.layer))

/** A watch that lets everything happen. */
export const makeWatch = (): FileWatch => ({ bytesRead: 0, bytesWritten: 0, room: Infinity })
