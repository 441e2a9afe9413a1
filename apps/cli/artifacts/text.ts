import { ArtifactType } from "@espalier/pipeline"
import { Effect, Schema } from "effect"

/** Documents in their order. */
export interface TextValue {
  readonly documents: ReadonlyArray<string>
}

/** Kept text that is not what was written. */
export class StoredTextError extends Schema.TaggedError<StoredTextError>()("StoredTextError", {
  line: Schema.Int,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the kept text is not readable at line ${this.line}`
  }
}

const Line = Schema.fromJsonString(Schema.String)

/** Text as it flows between steps: `documents.jsonl`, one JSON string a line. */
export const Text = ArtifactType.make({
  name: "Text",
  encode: ({ documents }: TextValue) =>
    Effect.sync(() => ({
      "documents.jsonl": new TextEncoder().encode(
        documents.map((document) => `${JSON.stringify(document)}\n`).join(""),
      ),
    })),
  decode: (files) =>
    Effect.gen(function* () {
      const lines = new TextDecoder().decode(files["documents.jsonl"]).split("\n").slice(0, -1)
      const documents = yield* Effect.forEach(lines, (line, index) =>
        Effect.mapError(
          Schema.decodeUnknownEffect(Line)(line),
          () => new StoredTextError({ line: index + 1, hint: "run again with another --store" }),
        ),
      )
      const value: TextValue = { documents }
      return value
    }),
})
