import { Schema } from "effect"

/** One stored file: the hash of its content, which is its name in the store, and its size. */
export const StoredFile = Schema.Struct({ sha256: Schema.String, bytes: Schema.Int })

/** One output: its type, the hash that stands for its content, and its files by name. */
export const StoredOutput = Schema.Struct({
  type: Schema.String,
  sha256: Schema.String,
  files: Schema.Record(Schema.String, StoredFile),
})

/** What the store keeps of a finished step. */
export const StoreEntry = Schema.Struct({
  key: Schema.String,
  use: Schema.String,
  outputs: Schema.Record(Schema.String, StoredOutput),
  files: Schema.Record(Schema.String, StoredFile),
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
