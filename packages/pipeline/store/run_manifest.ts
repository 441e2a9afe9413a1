import { Effect, Option, Schema } from "effect"
import { StoredFile, StoredOutput } from "../store_entry.ts"
import type { RunFolders } from "./run_folders.ts"

/** What the store has to know of a manifest. */
const RunManifest = Schema.Struct({
  name: Schema.String,
  status: Schema.optionalKey(Schema.String),
  steps: Schema.Record(
    Schema.String,
    Schema.Struct({
      use: Schema.optionalKey(Schema.String),
      status: Schema.optionalKey(Schema.String),
      key: Schema.optionalKey(Schema.NullOr(Schema.String)),
      outputs: Schema.optionalKey(Schema.Record(Schema.String, StoredOutput)),
      files: Schema.optionalKey(Schema.Record(Schema.String, StoredFile)),
    }),
  ),
})

export type RunManifest = typeof RunManifest.Type

/** What is written when a run begins. */
const decodeRequest = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ name: Schema.String })),
)

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** What a manifest says; none where it is not one. */
export const decodeManifest = (bytes: Uint8Array): Option.Option<RunManifest> =>
  Schema.decodeUnknownOption(Schema.fromJsonString(RunManifest))(text(bytes))

/** A run's manifest; none where the run was killed before it wrote one, or it is not readable. */
export const readManifest = (runs: RunFolders, run: string) =>
  Effect.map(runs.read(run, "manifest.json"), Option.flatMap(decodeManifest))

/** The name of a run's pipeline; empty where nothing tells it. */
export const pipelineOf = Effect.fnUntraced(function* (runs: RunFolders, run: string) {
  const manifest = yield* readManifest(runs, run)
  if (Option.isSome(manifest)) return manifest.value.name
  const request = Option.flatMap(yield* runs.read(run, "run.json"), (bytes) =>
    decodeRequest(text(bytes)),
  )
  return Option.match(request, { onNone: () => "", onSome: ({ name }) => name })
})
