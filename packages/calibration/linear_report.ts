import { Checkpoint } from "@espalier/runtime"
import { Effect, Option, Schema } from "effect"

/** What calibration adds to the report of a linear. */
export interface LinearReport {
  /** ‖(W − W₀) X‖² / ‖W₀ X‖² over the calibration text, where it was measured. */
  readonly error?: number
  /** Inputs that no token of the calibration text reached. */
  readonly deadInputs?: number
}

/** The reports of one block by linear, in the order in which they were changed. */
export type BlockReports = Readonly<Record<string, LinearReport>>

const Kept = Schema.fromJsonString(
  Schema.Array(
    Schema.Record(
      Schema.String,
      Schema.Struct({
        error: Schema.optionalKey(Schema.Finite),
        deadInputs: Schema.optionalKey(Schema.Int),
      }),
    ),
  ),
)

const nameOf = (task: string): string => `${task}-reports`
const file = "reports.json"

/**
 * Keeps the reports of finished blocks beside the walk: whoever goes on after those blocks no longer
 * has the text that went through them.
 */
export const saveReports = (task: string, blocks: ReadonlyArray<BlockReports>) =>
  Checkpoint.save(nameOf(task), {
    [file]: new TextEncoder().encode(Schema.encodeSync(Kept)(blocks)),
  })

/** The reports that were kept; none where there are none. */
export const loadReports = (task: string): Effect.Effect<ReadonlyArray<BlockReports>> =>
  Effect.map(Checkpoint.load(nameOf(task)), (saved) =>
    Option.gen(function* () {
      const files = yield* saved
      const bytes = yield* Option.fromNullishOr(files[file])
      return yield* Schema.decodeUnknownOption(Kept)(new TextDecoder().decode(bytes))
    }).pipe(Option.getOrElse((): ReadonlyArray<BlockReports> => [])),
  )

/** Forgets the reports of a walk that has ended. */
export const clearReports = (task: string) => Checkpoint.clear(nameOf(task))
