import type { PlatformError } from "effect"
import { Effect, Schema } from "effect"

/** A file or folder of a checkpoint cannot be read or written: rights, a full disk, a missing file. */
export class CheckpointFileError extends Schema.TaggedError<CheckpointFileError>()(
  "CheckpointFileError",
  {
    path: Schema.String,
    /** What was tried: `read`, `write`, `copy` … */
    operation: Schema.String,
    detail: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `${this.path}: cannot ${this.operation}: ${this.detail}. ${this.hint}`
  }
}

const describe = ({ reason }: PlatformError.PlatformError): readonly [string, string] => {
  switch (reason._tag) {
    case "NotFound":
      return ["it is not there", "Check the path."]
    case "PermissionDenied":
      return ["permission denied", "Check the rights of the file and its folder."]
    case "AlreadyExists":
      return ["it exists already", "Remove it, or choose another place."]
    default: {
      const cause = "cause" in reason ? reason.cause : undefined
      const detail = cause instanceof Error ? cause.message : (reason.description ?? reason.message)
      const full = /ENOSPC|EDQUOT/.test(detail)
      return [
        detail,
        full ? "Free space on the disk, or choose another." : "Check the file and its disk.",
      ]
    }
  }
}

/** Turns failures of the file system into {@link CheckpointFileError}. */
export const guardFile =
  (path: string, operation: string) =>
  <A, R>(
    effect: Effect.Effect<A, PlatformError.PlatformError, R>,
  ): Effect.Effect<A, CheckpointFileError, R> =>
    Effect.mapError(effect, (error) => {
      const [detail, hint] = describe(error)
      return new CheckpointFileError({ path, operation, detail, hint })
    })
