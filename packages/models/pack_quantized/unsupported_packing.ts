import { Schema } from "effect"

/** A matrix that the pack-quantized layout has no place for. */
export class UnsupportedPacking extends Schema.TaggedError<UnsupportedPacking>()(
  "UnsupportedPacking",
  {
    tensor: Schema.String,
    expected: Schema.String,
    found: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `${this.tensor} cannot be packed: expected ${this.expected}, found ${this.found}. ${this.hint}`
  }
}
