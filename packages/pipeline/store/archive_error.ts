import { Schema } from "effect"

/** An archive of runs cannot be opened, read or written. */
export class ArchiveFileError extends Schema.TaggedError<ArchiveFileError>()("ArchiveFileError", {
  path: Schema.String,
  operation: Schema.Literals(["read", "write"]),
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `cannot ${this.operation} the archive ${this.path}: ${this.detail}`
  }
}

/** There is a file already where an archive should be written. */
export class ArchiveExists extends Schema.TaggedError<ArchiveExists>()("ArchiveExists", {
  path: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path} exists already`
  }
}

/** A file is not an archive of runs, or not a whole and honest one. Nothing of it was taken. */
export class InvalidArchive extends Schema.TaggedError<InvalidArchive>()("InvalidArchive", {
  path: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path} is not a sound archive of runs: ${this.detail}`
  }
}

/** The store has another run under the name of one that an archive brings. */
export class RunExists extends Schema.TaggedError<RunExists>()("RunExists", {
  run: Schema.String,
  path: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path} holds a run ${this.run}, and the store has another one of that name`
  }
}

/** The results of a run are no longer whole, so that it cannot be handed on. */
export class RunIncomplete extends Schema.TaggedError<RunIncomplete>()("RunIncomplete", {
  run: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the run ${this.run} is not whole: ${this.detail}`
  }
}
