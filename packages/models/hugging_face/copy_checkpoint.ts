import { Notices } from "@espalier/runtime"
import type { HostArray } from "@espalier/tensor"
import { Effect, FileSystem, Option, Path, Schema } from "effect"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import type { Checkpoint, ReadTree } from "./checkpoint.ts"
import type { CheckpointFileError } from "./checkpoint_file_error.ts"
import { guardFile } from "./checkpoint_file_error.ts"
import {
  identify,
  listFiles,
  progressDraft,
  progressFile,
  readProgress,
  writeProgress,
} from "./copy_progress.ts"
import type { StoredArray } from "./stored_array.ts"
import type { WeightOverflow } from "./tensor_files.ts"
import { makeReader, makeWriter } from "./tensor_files.ts"

/** The folder that a checkpoint should be written to is there already. */
export class CheckpointExists extends Schema.TaggedError<CheckpointExists>()("CheckpointExists", {
  path: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path} exists already. ${this.hint}`
  }
}

/** A copy of a checkpoint whose weights are replaced one by one. */
export interface CheckpointCopy {
  /** Parts of the job that an earlier, interrupted run has marked as done. */
  readonly done: number
  /**
   * Reads from the copy what {@link Checkpoint.read} reads from the source. A part that is not marked
   * as done may be half replaced: read such a part from the source.
   */
  readonly read: ReadTree
  /**
   * Replaces one parameter in the files of the copy: its bytes and no others, rounded to the nearest
   * numbers of the file's dtype, ties to even.
   *
   * Fails with {@link WeightOverflow}, before anything is written, where a finite number would become
   * infinite. Throws a `RangeError` where the shape is another or the parameter another model's.
   */
  readonly write: (
    stored: StoredArray,
    value: HostArray.HostArray,
  ) => Effect.Effect<void, WeightOverflow | CheckpointFileError>
  /** Records that so many parts are done, after what was written has reached the disk. */
  readonly markDone: (parts: number) => Effect.Effect<void, CheckpointFileError>
  /** Gives the copy its final name. The other functions must not be used any more. */
  readonly finish: Effect.Effect<void, CheckpointFileError | CheckpointExists>
}

const copyBytes = 4 * 1024 * 1024

/** Copies a file byte for byte, in pieces, with the rights of a new file. */
const copyFile = Effect.fnUntraced(function* (from: string, to: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const source = yield* guardFile(from, "read")(fileSystem.open(from))
  const target = yield* guardFile(to, "write")(fileSystem.open(to, { flag: "wx" }))
  const buffer = new Uint8Array(copyBytes)
  while (true) {
    const count = yield* guardFile(from, "read")(source.read(buffer))
    if (count === 0) break
    yield* guardFile(to, "write")(target.writeAll(buffer.subarray(0, count)))
  }
  yield* guardFile(to, "write")(target.sync)
}, Effect.scoped)

/** Weights in formats that are copied as they are: whoever loads them gets the source's. */
const otherWeights = /^(?!tokenizer\.).*\.(bin|pth?|h5|msgpack|onnx|gguf|safetensors)$/

const noticeOthers = (checkpoint: Checkpoint, names: ReadonlyArray<string>) => {
  const others = names.filter((name) => otherWeights.test(name) && !checkpoint.files.includes(name))
  return others.length === 0
    ? Effect.void
    : Notices.report(`${others.join(", ")}: copied as in the source, with the weights it had`)
}

/** Makes `partial` a copy of the checkpoint's folder; nothing is left of it where that fails. */
const copyFolder = Effect.fnUntraced(function* (checkpoint: Checkpoint, partial: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const remove = fileSystem.remove(partial, { recursive: true, force: true })
  yield* guardFile(partial, "remove")(remove)
  const files = yield* listFiles(checkpoint.path)
  yield* noticeOthers(
    checkpoint,
    files.map(({ name }) => name),
  )
  const copy = Effect.gen(function* () {
    yield* guardFile(partial, "write")(fileSystem.makeDirectory(partial, { recursive: true }))
    for (const { name } of files) {
      yield* copyFile(path.join(checkpoint.path, name), path.join(partial, name))
    }
  })
  yield* Effect.onError(copy, () => Effect.ignore(remove))
})

/** True where a folder has all files of the source, with their sizes. */
const isWhole = Effect.fnUntraced(function* (checkpoint: Checkpoint, partial: string) {
  const sizes = new Map((yield* listFiles(partial)).map(({ name, size }) => [name, size]))
  return (yield* listFiles(checkpoint.path)).every(({ name, size }) => sizes.get(name) === size)
})

/** Makes a folder's entries survive a loss of power, where the system can. */
const syncFolder = (fileSystem: FileSystem.FileSystem, folder: string) =>
  fileSystem.open(folder).pipe(
    Effect.flatMap((file) => file.sync),
    Effect.scoped,
    Effect.ignore,
  )

const prepare = Effect.fnUntraced(function* (checkpoint: Checkpoint, partial: string, job: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const source = yield* identify(checkpoint)
  const exists = yield* guardFile(partial, "read")(fileSystem.exists(partial))
  const before = exists ? yield* readProgress(partial, job, source) : Option.none<number>()
  if (Option.isSome(before) && (yield* isWhole(checkpoint, partial))) {
    return { source, done: before.value }
  }
  yield* copyFolder(checkpoint, partial)
  yield* writeProgress(partial, { job, source, done: 0 })
  return { source, done: 0 }
})

/**
 * Begins to write a changed checkpoint to the folder `out`: a copy of all files of the source's folder
 * (not of folders in it), byte for byte, in which single weights are then replaced in place. Everything
 * else stays as it is: other files, the order of headers, dtypes, untouched tensors.
 *
 * Until {@link CheckpointCopy.finish} the copy is called `out` + `.partial`. There it survives an
 * interruption: called again with the same `job` (what is being done, with all options that matter) and
 * the same source, the copy is taken up with the parts that were marked as done; with another, it is
 * begun anew. A source is known again by names and sizes of its files, by headers, and by samples of
 * the data. Only one process may work on a copy at a time. Memory holds a few MiB.
 *
 * Fails with {@link CheckpointExists} where `out` exists, before anything is copied; with
 * {@link CheckpointFileError} where a file cannot be read or written, as on a full disk: `out` then
 * does not come into being.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { copyCheckpoint, openCheckpoint, type StoredArray } from "@espalier/models"
 * import { HostArray } from "@espalier/tensor"
 *
 * // Removes every feed-forward network, one block after the other.
 * const remove = Effect.gen(function* () {
 *   const checkpoint = yield* openCheckpoint("models/TinyLlama-1.1B")
 *   const { model } = checkpoint
 *   const copy = yield* copyCheckpoint(checkpoint, "models/attention-only", { job: "no networks" })
 *   for (const block of model.blocks.slice(copy.done)) {
 *     const own = block.parameters(model.parameters) as Record<string, StoredArray>
 *     yield* copy.write(own.down, HostArray.zeros(own.down.shape))
 *     yield* copy.markDone(block.index + 1)
 *   }
 *   yield* copy.finish
 * })
 * ```
 */
export const copyCheckpoint = Effect.fn("copyCheckpoint")(function* (
  checkpoint: Checkpoint,
  out: string,
  options: { readonly job: string },
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const { job } = options
  const final = path.resolve(out)
  const partial = `${final}.partial`
  const refuseExisting = Effect.gen(function* () {
    if (yield* guardFile(final, "read")(fileSystem.exists(final))) {
      const hint = "Choose another name, or remove it first."
      return yield* new CheckpointExists({ path: final, hint })
    }
  })
  yield* refuseExisting
  const unfinished = path.join(checkpoint.path, progressFile)
  if (yield* guardFile(unfinished, "read")(fileSystem.exists(unfinished))) {
    return yield* new CheckpointFormatError({
      path: checkpoint.path,
      expected: "a finished checkpoint",
      found: progressFile,
      hint: "Finish the job that left it, or take the checkpoint that it began from.",
    })
  }
  const { source, done } = yield* prepare(checkpoint, partial, job)
  const write = yield* makeWriter(partial, checkpoint.tensors)
  const touched = new Set<string>()
  const flush = Effect.gen(function* () {
    for (const file of touched) {
      const full = path.join(partial, file)
      const sync = fileSystem.open(full, { flag: "r+" }).pipe(Effect.flatMap((each) => each.sync))
      yield* guardFile(full, "write")(Effect.scoped(sync))
      touched.delete(file)
    }
  })
  const copy: CheckpointCopy = {
    done,
    read: yield* makeReader(partial, checkpoint.tensors),
    write: (stored, value) =>
      Effect.suspend(() => {
        const place = checkpoint.tensors.get(stored.name)
        if (place !== undefined) touched.add(place.file)
        return write(stored, value)
      }),
    markDone: (parts) =>
      flush.pipe(
        Effect.andThen(writeProgress(partial, { job, source, done: parts })),
        Effect.provideService(FileSystem.FileSystem, fileSystem),
        Effect.provideService(Path.Path, path),
      ),
    finish: Effect.gen(function* () {
      yield* refuseExisting
      yield* flush
      for (const name of [progressDraft, progressFile]) {
        const file = path.join(partial, name)
        yield* guardFile(file, "remove")(fileSystem.remove(file, { force: true }))
      }
      yield* syncFolder(fileSystem, partial)
      yield* guardFile(final, "write")(fileSystem.rename(partial, final))
      yield* syncFolder(fileSystem, path.dirname(final))
    }),
  }
  return copy
})
