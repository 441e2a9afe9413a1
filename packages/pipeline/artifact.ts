import { Effect } from "effect"
import type { JsonObject } from "./canonical_json.ts"

/** Files by name. Names are plain (letters, digits, dot, dash, underscore), without folders. */
export type Files = Readonly<Record<string, Uint8Array>>

/** What every expected failure of a step looks like; any `Schema.TaggedError` does. */
export interface TaggedFailure {
  readonly _tag: string
  readonly message: string
  readonly hint?: string | undefined
}

/**
 * A kind of value that flows from step to step, and how it is kept as files. Values are data on the
 * host: they outlive the step that made them, may be given to several steps and are not changed by
 * them. `decode(encode(value))` means the same as `value`; a step always gets the decoded one, so a
 * run from the cache computes what the first run computed.
 */
export interface ArtifactType<A, R = never> {
  /** The name that type mismatches are told with, e.g. `"Model"`. Types are equal if their names are. */
  readonly name: string
  encode(value: A): Effect.Effect<Files, TaggedFailure, R>
  decode(files: Files): Effect.Effect<A, TaggedFailure, R>
}

/** The value that an artifact type describes. */
export type ArtifactValue<T> = T extends ArtifactType<infer A, infer _R> ? A : never

/** The services that encoding and decoding need. */
export type ArtifactServices<T> = T extends ArtifactType<infer _A, infer R> ? R : never

/** Makes artifact types. */
export const ArtifactType = {
  /**
   * Describes a kind of value and the files it is kept as.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ArtifactType } from "@espalier/pipeline"
   *
   * const Note = ArtifactType.make({
   *   name: "Note",
   *   encode: (text: string) => Effect.succeed({ "note.txt": new TextEncoder().encode(text) }),
   *   decode: (files) => Effect.succeed(new TextDecoder().decode(files["note.txt"])),
   * })
   * ```
   */
  make: <A, E1 extends TaggedFailure, R1, E2 extends TaggedFailure, R2>(definition: {
    readonly name: string
    readonly encode: (value: A) => Effect.Effect<Files, E1, R1>
    readonly decode: (files: Files) => Effect.Effect<A, E2, R2>
  }): ArtifactType<A, R1 | R2> => definition,
}

/** What a step measured: a JSON object. */
export type MetricsDocument = JsonObject

/**
 * The type of a step's metrics as an input of another step: a reference to any step fits, and gives
 * the metrics document.
 *
 * @example
 * ```ts
 * import { Metrics } from "@espalier/pipeline"
 *
 * const inputs = { rows: { type: Metrics, many: true } }
 * ```
 */
export const Metrics: ArtifactType<MetricsDocument> = ArtifactType.make({
  name: "Metrics",
  encode: (value: MetricsDocument) =>
    Effect.succeed({ "metrics.json": new TextEncoder().encode(JSON.stringify(value)) }),
  decode: (files) =>
    Effect.sync(
      () => JSON.parse(new TextDecoder().decode(files["metrics.json"])) as MetricsDocument,
    ),
})
