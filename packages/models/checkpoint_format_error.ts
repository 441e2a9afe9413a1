import { Schema } from "effect"

/**
 * A model file is not what it should be: truncated, too long, damaged, or of another kind.
 * `expected` and `found` are in the units that matter (bytes, shapes, names), `hint` says what to do.
 */
export class CheckpointFormatError extends Schema.TaggedError<CheckpointFormatError>()(
  "CheckpointFormatError",
  {
    path: Schema.String,
    expected: Schema.String,
    found: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `${this.path}: expected ${this.expected}, found ${this.found}. ${this.hint}`
  }
}
