import type { FileSystem } from "effect"
import { Effect } from "effect"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import { guardFile } from "./checkpoint_file_error.ts"

/** Fills `bytes` from position `from` of a file. */
export const readBytes = Effect.fnUntraced(function* (
  file: FileSystem.File,
  path: string,
  bytes: Uint8Array,
  from: number,
) {
  for (let done = 0; done < bytes.length;) {
    const position = BigInt(from + done)
    const rest = bytes.subarray(done)
    const count = yield* guardFile(path, "read")(file.read(rest, { position }))
    if (count === 0) {
      return yield* new CheckpointFormatError({
        path,
        expected: `${bytes.length} bytes from byte ${from} on`,
        found: "the end of the file",
        hint: "It became shorter while it was read.",
      })
    }
    done += count
  }
})
