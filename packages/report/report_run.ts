import { Result, Schema, SchemaIssue } from "effect"
import { isJsonObject, type JsonObject, toNumber } from "./json.ts"
import { type Reference, referenceReader, referencesIn } from "./references.ts"

/**
 * A document that is no record of a run: the place in it that is wrong, and what to do.
 *
 * @example
 * ```ts
 * import { decodeManifest, InvalidManifest } from "@espalier/report"
 * import { Result } from "effect"
 *
 * const result = decodeManifest("{}", "manifest.json")
 * console.log(Result.isFailure(result) && result.failure instanceof InvalidManifest) // true
 * ```
 */
export class InvalidManifest extends Schema.TaggedError<InvalidManifest>()("InvalidManifest", {
  path: Schema.String,
  /** The place in the document, such as `steps.model.status`; empty for the document as a whole. */
  field: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path}: ${this.field === "" ? "" : `${this.field}: `}${this.detail}`
  }
}

const optional = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const Text = Schema.String
const Texts = Schema.Array(Text)
const Any = Schema.Record(Text, Schema.Unknown)

const Step = Schema.Struct({
  use: Text,
  status: Text,
  seconds: optional(Schema.Number),
  metrics: optional(Any),
  dispatches: optional(Schema.Number),
  hostFallbacks: optional(Texts),
  notices: optional(Texts),
  error: optional(Schema.Struct({ tag: optional(Text), message: Text, hint: optional(Text) })),
  reason: optional(Text),
  key: optional(Text),
  reasons: optional(Texts),
  computed: optional(Schema.Struct({ finished: optional(Text), seconds: optional(Schema.Number) })),
  peakMemory: optional(Schema.Number),
  outputs: optional(Any),
  files: optional(Any),
})

const Manifest = Schema.Struct({
  run: Text,
  name: Text,
  status: Text,
  started: optional(Text),
  finished: optional(Text),
  seed: optional(Schema.Number),
  device: optional(
    Schema.Struct({
      kind: Text,
      adapter: optional(Text),
      software: optional(Schema.Boolean),
    }),
  ),
  environment: optional(Any),
  packages: optional(Any),
  file: optional(Text),
  git: optional(Schema.Unknown),
  lockfile: optional(Schema.Unknown),
  pipeline: optional(
    Schema.Struct({
      description: optional(Text),
      steps: optional(Schema.Record(Text, Any)),
    }),
  ),
  inputs: optional(
    Schema.Array(
      Schema.Struct({ path: Text, sha256: optional(Text), bytes: optional(Schema.Number) }),
    ),
  ),
  steps: Schema.Record(Text, Step),
})

const decode = Schema.decodeUnknownResult(Manifest)
const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** A step of a run: what it was told to do, what it measured, and what became of it. */
export interface ReportStep {
  readonly id: string
  readonly use: string
  /** `done`, `cached`, `failed` or `skipped`; a status of a later version is shown as it is. */
  readonly status: string
  /** Seconds in this run. */
  readonly seconds: number
  /** Seconds that the result took when it was computed, in this run or an earlier one. */
  readonly computedSeconds: number | undefined
  /** MiB. */
  readonly peakMemory: number | undefined
  /** As written in the pipeline with defaults filled in, without `use`. */
  readonly configuration: JsonObject
  readonly references: ReadonlyArray<Reference>
  readonly metrics: JsonObject
  readonly dispatches: number
  readonly hostFallbacks: ReadonlyArray<string>
  readonly notices: ReadonlyArray<string>
  readonly error:
    | { readonly tag?: string; readonly message: string; readonly hint?: string }
    | undefined
  /** Why it was skipped. */
  readonly reason: string | undefined
  /** The cache key. */
  readonly key: string | undefined
  /** Why it had to run. */
  readonly reasons: ReadonlyArray<string>
  readonly outputs: JsonObject
  readonly files: JsonObject
}

/** A run, as far as a report needs it. */
export interface ReportRun {
  readonly run: string
  readonly name: string
  readonly description: string | undefined
  /** `done`, `failed` or `interrupted`. */
  readonly status: string
  readonly started: string | undefined
  readonly finished: string | undefined
  readonly seed: number | undefined
  /** The pipeline's file. */
  readonly file: string | undefined
  readonly device:
    | { readonly kind: string; readonly adapter: string | undefined; readonly software: boolean }
    | undefined
  readonly environment: JsonObject
  readonly packages: JsonObject
  readonly git: unknown
  readonly lockfile: unknown
  readonly inputs: ReadonlyArray<{
    readonly path: string
    readonly sha256: string | undefined
    readonly bytes: number | undefined
  }>
  /** In the order in which they ran. */
  readonly steps: ReadonlyArray<ReportStep>
}

const toStep = (
  id: string,
  step: typeof Step.Type,
  written: JsonObject,
  read: (text: string) => ReadonlyArray<string>,
): ReportStep => {
  const { use: _, ...configuration } = written
  const { error } = step
  return {
    id,
    use: step.use,
    status: step.status,
    seconds: step.seconds ?? 0,
    computedSeconds: step.computed?.seconds ?? undefined,
    peakMemory: step.peakMemory ?? toNumber(step.metrics?.peakMemory),
    configuration,
    references: referencesIn(configuration, read),
    metrics: step.metrics ?? {},
    dispatches: step.dispatches ?? 0,
    hostFallbacks: step.hostFallbacks ?? [],
    notices: step.notices ?? [],
    error: error
      ? {
          message: error.message,
          ...(error.tag ? { tag: error.tag } : {}),
          ...(error.hint ? { hint: error.hint } : {}),
        }
      : undefined,
    reason: step.reason ?? undefined,
    key: step.key ?? undefined,
    reasons: step.reasons ?? [],
    outputs: step.outputs ?? {},
    files: step.files ?? {},
  }
}

const toRun = (manifest: typeof Manifest.Type): ReportRun => {
  const read = referenceReader(Object.keys(manifest.steps))
  const { device } = manifest
  return {
    run: manifest.run,
    name: manifest.name,
    description: manifest.pipeline?.description ?? undefined,
    status: manifest.status,
    started: manifest.started ?? undefined,
    finished: manifest.finished ?? undefined,
    seed: manifest.seed ?? undefined,
    file: manifest.file ?? undefined,
    device: device
      ? {
          kind: device.kind,
          adapter: device.adapter ?? undefined,
          software: device.software ?? false,
        }
      : undefined,
    environment: manifest.environment ?? {},
    packages: manifest.packages ?? {},
    git: manifest.git ?? undefined,
    lockfile: manifest.lockfile ?? undefined,
    inputs: (manifest.inputs ?? []).map(({ path, sha256, bytes }) => ({
      path,
      sha256: sha256 ?? undefined,
      bytes: bytes ?? undefined,
    })),
    steps: Object.entries(manifest.steps).map(([id, step]) =>
      toStep(id, step, manifest.pipeline?.steps?.[id] ?? {}, read),
    ),
  }
}

const hint = "give the manifest.json of a run, in its folder below .espalier/runs"

const parse = (text: string, path: string): Result.Result<unknown, InvalidManifest> => {
  try {
    return Result.succeed(JSON.parse(text) as unknown)
  } catch (error) {
    const detail = `is not JSON: ${error instanceof Error ? error.message : String(error)}`
    return Result.fail(new InvalidManifest({ path, field: "", detail, hint }))
  }
}

/**
 * Reads the record of a run: the text of its `manifest.json`, or the document in it. Fields that are
 * missing or unknown do no harm, a document that is no record is an {@link InvalidManifest}; `path`
 * is for its message only.
 *
 * @example
 * ```ts
 * import { decodeManifest } from "@espalier/report"
 * import { Result } from "effect"
 *
 * const steps = { model: { use: "model/train", status: "done", seconds: 3 } }
 * const manifest = { run: "20270102-030405-abcd", name: "demo", status: "done", steps }
 * const run = Result.getOrThrow(decodeManifest(manifest, "manifest.json"))
 * console.log(run.steps[0].id) // model
 * ```
 */
export const decodeManifest = (
  manifest: unknown,
  path: string,
): Result.Result<ReportRun, InvalidManifest> => {
  const parsed = typeof manifest === "string" ? parse(manifest, path) : Result.succeed(manifest)
  if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
  if (!isJsonObject(parsed.success)) {
    const detail = "is no record of a run: an object was expected"
    return Result.fail(new InvalidManifest({ path, field: "", detail, hint }))
  }
  const decoded = decode(parsed.success)
  if (Result.isSuccess(decoded)) return Result.succeed(toRun(decoded.success))
  const [issue] = formatIssues(decoded.failure.issue).issues
  const field = (issue.path ?? [])
    .map((part) => String(typeof part === "object" ? part.key : part))
    .join(".")
  const detail = issue.message.toLowerCase().replace(/^missing key$/, "is missing")
  return Result.fail(new InvalidManifest({ path, field, detail, hint }))
}
