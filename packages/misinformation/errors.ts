import { Schema } from "effect"

/** A line of a file of the challenge that is not what it should be. */
export class FmdFormatError extends Schema.TaggedError<FmdFormatError>()("FmdFormatError", {
  path: Schema.String,
  /** Counted from 1. */
  line: Schema.Int,
  /** The field that is at fault, where there is one. */
  field: Schema.optionalKey(Schema.String),
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path}:${this.line}: ${this.detail}`
  }
}

/** A file of the challenge that cannot be read, or has nothing in it. */
export class FmdFileError extends Schema.TaggedError<FmdFileError>()("FmdFileError", {
  path: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path}: ${this.detail}`
  }
}

/** There are not as many predictions as items. */
export class PredictionCountMismatch extends Schema.TaggedError<PredictionCountMismatch>()(
  "PredictionCountMismatch",
  {
    predictions: Schema.String,
    gold: Schema.String,
    predicted: Schema.Int,
    expected: Schema.Int,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `${this.predictions} has ${this.predicted} lines, ${this.gold} has ${this.expected}`
  }
}

/** Items from which nothing can be learnt. */
export class TooFewItems extends Schema.TaggedError<TooFewItems>()("TooFewItems", {
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return this.detail
  }
}

/** A folder that is said to hold a detector and does not. */
export class DetectorFormatError extends Schema.TaggedError<DetectorFormatError>()(
  "DetectorFormatError",
  { file: Schema.String, detail: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `${this.file}: ${this.detail}`
  }
}
