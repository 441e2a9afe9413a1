import { Schema } from "effect"

/** The store cannot be read or written: not a wrong result, a folder or disk that does not do its part. */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  folder: Schema.String,
  operation: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the store ${this.folder}: cannot ${this.operation}: ${this.detail}`
  }
}
