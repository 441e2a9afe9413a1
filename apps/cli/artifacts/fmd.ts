import type { Item, Label, Verdict } from "@espalier/misinformation"
import { ArtifactType } from "@espalier/pipeline"
import { Effect, Schema } from "effect"

/** Kept items or verdicts that are not what was written. */
export class StoredFmdError extends Schema.TaggedError<StoredFmdError>()("StoredFmdError", {
  line: Schema.Int,
  hint: Schema.String,
}) {
  override get message(): string {
    return `what was kept is not readable at line ${this.line}`
  }
}

const LabelName = Schema.Literals(["True", "False", "NEI"])
const ItemLine = Schema.fromJsonString(
  Schema.Struct({
    claim: Schema.String,
    context: Schema.String,
    label: LabelName,
    explanation: Schema.String,
  }),
)
const VerdictLine = Schema.fromJsonString(
  Schema.Struct({
    label: Schema.optionalKey(LabelName),
    probabilities: Schema.optionalKey(Schema.Array(Schema.Finite)),
    explanation: Schema.String,
    evidence: Schema.Array(Schema.Struct({ start: Schema.Int, end: Schema.Int })),
  }),
)

/** A detector's verdict, or a language model's: without probabilities, and perhaps without a label. */
export type Judgement = Pick<Verdict, "explanation" | "evidence"> & {
  readonly label?: Label
  readonly probabilities?: ReadonlyArray<number>
}

/** A list as a file with one JSON object a line. */
const linesType = <A>(name: string, file: string, line: Schema.Codec<A, string>) =>
  ArtifactType.make({
    name,
    encode: (values: ReadonlyArray<A>) =>
      Effect.sync(() => ({
        [file]: new TextEncoder().encode(
          values.map((value) => `${JSON.stringify(value)}\n`).join(""),
        ),
      })),
    decode: (files): Effect.Effect<ReadonlyArray<A>, StoredFmdError> =>
      Effect.forEach(
        new TextDecoder().decode(files[file]).split("\n").slice(0, -1),
        (text, index) =>
          Effect.mapError(
            Schema.decodeUnknownEffect(line)(text),
            () => new StoredFmdError({ line: index + 1, hint: "run again with another --store" }),
          ),
      ),
  })

/** Claims with contexts and right answers. */
export const FmdItems = linesType<Item>("FmdItems", "items.jsonl", ItemLine)

/** What was made of each of them, in their order. */
export const FmdVerdicts = linesType<Judgement>("FmdVerdicts", "verdicts.jsonl", VerdictLine)
