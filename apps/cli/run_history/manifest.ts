import { Schema } from "effect"

const Hashes = Schema.Record(Schema.String, Schema.Struct({ sha256: Schema.String }))

/** What is read of a step in `manifest.json`. */
const Step = Schema.Struct({
  use: Schema.String,
  status: Schema.Literals(["done", "cached", "failed", "skipped"]),
  seconds: Schema.Finite,
  metrics: Schema.Record(Schema.String, Schema.Json),
  notices: Schema.Array(Schema.String),
  key: Schema.NullOr(Schema.String),
  /** Null where the step did not begin; without `graph` where the code could not be read. */
  code: Schema.NullOr(Schema.Struct({ graph: Schema.optionalKey(Schema.String) })),
  outputs: Hashes,
  files: Hashes,
  error: Schema.optionalKey(
    Schema.Struct({
      tag: Schema.String,
      message: Schema.String,
      hint: Schema.optionalKey(Schema.String),
    }),
  ),
  reason: Schema.optionalKey(Schema.String),
})

/** What is read of a run's `manifest.json`; what else is there is left alone. */
export const RunManifest = Schema.Struct({
  run: Schema.String,
  name: Schema.String,
  status: Schema.Literals(["done", "failed", "interrupted"]),
  started: Schema.String,
  finished: Schema.String,
  seed: Schema.Finite,
  file: Schema.String,
  device: Schema.Struct({ kind: Schema.String, fingerprint: Schema.String }),
  packages: Schema.Record(Schema.String, Schema.Json),
  pipeline: Schema.Record(Schema.String, Schema.Json),
  inputs: Schema.Array(Schema.Struct({ path: Schema.String, sha256: Schema.String })),
  steps: Schema.Record(Schema.String, Step),
})
export type RunManifest = typeof RunManifest.Type

/** What is read of a run's `run.json`: how it was asked for. */
export const RunRequest = Schema.Struct({
  run: Schema.String,
  name: Schema.String,
  started: Schema.String,
  process: Schema.Int,
  file: Schema.optionalKey(Schema.String),
  device: Schema.optionalKey(Schema.Literals(["auto", "wasm", "webgpu"])),
  executor: Schema.optionalKey(Schema.Literals(["local", "cluster"])),
  remote: Schema.optionalKey(Schema.String),
  set: Schema.optionalKey(Schema.Array(Schema.String)),
  only: Schema.optionalKey(Schema.Array(Schema.String)),
  from: Schema.optionalKey(Schema.String),
  limit: Schema.optionalKey(Schema.Int),
  keepGoing: Schema.optionalKey(Schema.Boolean),
  jobs: Schema.optionalKey(Schema.Int),
  sandbox: Schema.optionalKey(Schema.Boolean),
  allow: Schema.optionalKey(Schema.Array(Schema.String)),
  data: Schema.optionalKey(Schema.String),
  out: Schema.optionalKey(Schema.String),
})
export type RunRequest = typeof RunRequest.Type

/** What is read of a line of a run's `events.jsonl`. */
export const RunLogEvent = Schema.Struct({
  event: Schema.String,
  time: Schema.Finite,
  id: Schema.optionalKey(Schema.String),
  use: Schema.optionalKey(Schema.String),
  name: Schema.optionalKey(Schema.String),
  run: Schema.optionalKey(Schema.String),
  steps: Schema.optionalKey(Schema.Finite),
  index: Schema.optionalKey(Schema.Finite),
  status: Schema.optionalKey(Schema.String),
  seconds: Schema.optionalKey(Schema.Finite),
  message: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
  reasons: Schema.optionalKey(Schema.Array(Schema.String)),
  error: Schema.optionalKey(Schema.Struct({ tag: Schema.String, message: Schema.String })),
  update: Schema.optionalKey(
    Schema.Struct({
      task: Schema.String,
      completed: Schema.Finite,
      total: Schema.optionalKey(Schema.NullOr(Schema.Finite)),
      unit: Schema.optionalKey(Schema.String),
    }),
  ),
})
export type RunLogEvent = typeof RunLogEvent.Type
