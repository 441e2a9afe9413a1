import type { MadeFrom, StepJob } from "@espalier/pipeline"
import { Schema } from "effect"

/** A file in the store, by the hash of its content. */
export const StoredFile = Schema.Struct({
  sha256: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
  bytes: Schema.Int,
})

const Files = Schema.TaggedStruct("Files", { files: Schema.Record(Schema.String, StoredFile) })
const Metrics = Schema.TaggedStruct("Metrics", {
  metrics: Schema.Record(Schema.String, Schema.Json),
})

/**
 * A file or folder that a step reads, in the store: a file's content, or the list of a folder's files
 * (see {@link FolderListing}).
 */
export const PathInput = Schema.Struct({
  kind: Schema.Literals(["file", "folder"]),
  /** The last part of its path: endings mean something. */
  name: Schema.String,
  /** What stands for it in the step's key. */
  sha256: Schema.String,
  content: StoredFile,
})
export type PathInput = typeof PathInput.Type

/** The files of a folder, by their paths in it. */
export const FolderListing = Schema.fromJsonString(Schema.Record(Schema.String, StoredFile))

/** A step to be done, as it lies in the store for whoever does it. */
export const Job = Schema.Struct({
  format: Schema.Literal(1),
  use: Schema.String,
  id: Schema.String,
  /** Encoded, paths as they were given. */
  config: Schema.Record(Schema.String, Schema.Json),
  values: Schema.Record(
    Schema.String,
    Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.Union([Files, Metrics]) })),
  ),
  paths: Schema.Record(Schema.String, PathInput),
  seed: Schema.Int,
  key: Schema.String,
  made: Schema.Record(Schema.String, Schema.Json),
  notices: Schema.Array(Schema.String),
  /** When the result was made that this one is to replace; null where there is none. */
  replaces: Schema.NullOr(Schema.String),
})
export type Job = typeof Job.Type

const JobText = Schema.fromJsonString(Job)
export const decodeJob = Schema.decodeUnknownEffect(JobText)
const encodeJob = Schema.encodeSync(JobText)

/** What a job is made from; it was made by a run. */
export const madeOf = (job: Job): MadeFrom => job.made as MadeFrom

/** A job as the store keeps it. */
export const jobText = <R>(
  { planned, key, made, seed, values, notices }: StepJob<R>,
  paths: Readonly<Record<string, PathInput>>,
  replaces: string | null,
): string =>
  encodeJob({
    format: 1,
    use: planned.step.use,
    id: planned.id,
    config: planned.encodedConfig,
    values: values,
    paths,
    seed,
    key,
    made,
    notices,
    replaces,
  })
