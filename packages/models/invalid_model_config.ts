import { Schema } from "effect"

/** The sizes do not describe a model: which field, what was expected of it, what was found. */
export class InvalidModelConfig extends Schema.TaggedError<InvalidModelConfig>()(
  "InvalidModelConfig",
  {
    field: Schema.String,
    expected: Schema.String,
    found: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `Model configuration: ${this.field} must be ${this.expected}, found ${this.found}. ${this.hint}`
  }
}
