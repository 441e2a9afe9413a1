import { Schema } from "effect"
import { isPlainName } from "./store/names.ts"

/** A hash in hexadecimal digits, which names a place in the store: nothing else may. */
const Hash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))

const plainNames = Schema.makeFilter(
  (record: object) =>
    Object.keys(record).every(isPlainName) || "expected names without folders in them",
)

/** One stored file: the hash of its content, which is its name in the store, and its size. */
export const StoredFile = Schema.Struct({ sha256: Hash, bytes: Schema.Int })

const StoredFiles = Schema.Record(Schema.String, StoredFile).check(plainNames)

/** One output: its type, the hash that stands for its content, and its files by name. */
export const StoredOutput = Schema.Struct({
  type: Schema.String,
  sha256: Schema.String,
  files: StoredFiles,
})

/** What the store keeps of a finished step. */
export const StoreEntry = Schema.Struct({
  key: Schema.String,
  use: Schema.String,
  /** What the result was made from: the material of its key, and where its inputs came from. */
  made: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  outputs: Schema.Record(Schema.String, StoredOutput).check(plainNames),
  files: StoredFiles,
  metrics: Schema.Record(Schema.String, Schema.Json),
  /** How long the step took when it ran. */
  seconds: Schema.Finite,
  dispatches: Schema.Int,
  hostFallbacks: Schema.Array(Schema.String),
  notices: Schema.Array(Schema.String),
  /** When it ran, ISO 8601. */
  finished: Schema.String,
})

export type StoredFile = typeof StoredFile.Type
export type StoredOutput = typeof StoredOutput.Type
export type StoreEntry = typeof StoreEntry.Type

/** An entry as it lies on disk, with the hash of its canonical JSON. */
export const EntryFile = Schema.fromJsonString(
  Schema.Struct({ sha256: Schema.String, entry: StoreEntry }),
)

/** All files of an entry, those of its outputs first. */
export const entryFiles = (
  entry: Pick<StoreEntry, "outputs" | "files">,
): ReadonlyArray<readonly [name: string, file: StoredFile]> => [
  ...Object.values(entry.outputs).flatMap((output) => Object.entries(output.files)),
  ...Object.entries(entry.files),
]
