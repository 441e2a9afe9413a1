import { Schema } from "effect"

/** A model that cannot be written as a GGUF file that llama.cpp would run as the same model. */
export class UnsupportedByGguf extends Schema.TaggedError<UnsupportedByGguf>()(
  "UnsupportedByGguf",
  {
    /** What it is about: `family`, or a field of the configuration. */
    field: Schema.String,
    expected: Schema.String,
    found: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `GGUF files here have ${this.field} ${this.expected}, not ${this.found}. ${this.hint}`
  }
}
