import { canonicalJson, sha256 } from "@espalier/pipeline"
import { Notices } from "@espalier/runtime"
import { Effect, FileSystem, Path } from "effect"
import { refuseExisting, unwritable } from "../command_line/write_folder.ts"

/** A file of predictions that grows line by line, and goes on where an interrupted run ended. */
export interface PredictionFile {
  /** Lines of an earlier run of the same job. */
  readonly done: number
  readonly append: (line: string) => Effect.Effect<void, ReturnType<ReturnType<typeof unwritable>>>
  /** Gives the file its name. */
  readonly finish: Effect.Effect<void, ReturnType<ReturnType<typeof unwritable>>>
  /** Where the lines are until then. */
  readonly partial: string
}

const newline = 10

/** The bytes of the whole lines of a file, and how many they are; a line that was cut off is not one. */
const wholeLines = Effect.fnUntraced(function* (file: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const bytes = yield* fileSystem.readFile(file)
  const end = bytes.lastIndexOf(newline) + 1
  let lines = 0
  for (const byte of bytes.subarray(0, end)) if (byte === newline) lines++
  return { end, lines }
})

/**
 * Opens `final` for predictions. They are in the folder `final.partial` until all are there; a run of
 * the same `job` (whatever decides the result) goes on after the whole lines that it finds there.
 */
export const openPredictionFile = Effect.fnUntraced(function* (
  final: string,
  job: Parameters<typeof canonicalJson>[0],
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* refuseExisting(final)
  const folder = `${final}.partial`
  const [jobFile, partial] = [path.join(folder, "job"), path.join(folder, "predictions.jsonl")]
  const key = sha256(canonicalJson(job))
  const prepare = Effect.gen(function* () {
    const known = yield* Effect.orElseSucceed(fileSystem.readFileString(jobFile), () => "")
    if (known === key && (yield* fileSystem.exists(partial))) {
      const { end, lines } = yield* wholeLines(partial)
      yield* fileSystem.truncate(partial, end)
      return lines
    }
    if (known !== "") {
      yield* Notices.report(`${folder} is of another job: starting from the beginning`)
    }
    yield* fileSystem.remove(folder, { recursive: true, force: true })
    yield* fileSystem.makeDirectory(folder, { recursive: true })
    yield* fileSystem.writeFileString(partial, "")
    yield* fileSystem.writeFileString(jobFile, key)
    return 0
  })
  const open = Effect.gen(function* () {
    const done = yield* prepare
    return { done, file: yield* fileSystem.open(partial, { flag: "a" }) }
  })
  const { done, file } = yield* Effect.mapError(open, unwritable(final))
  if (done > 0) yield* Notices.report(`going on after ${done} predictions`)
  const encoder = new TextEncoder()
  const predictions: PredictionFile = {
    done,
    partial,
    append: (line) =>
      Effect.mapError(file.writeAll(encoder.encode(`${line}\n`)), unwritable(final)),
    finish: Effect.mapError(
      file.sync.pipe(
        Effect.andThen(fileSystem.rename(partial, final)),
        Effect.andThen(fileSystem.remove(folder, { recursive: true, force: true })),
      ),
      unwritable(final),
    ),
  }
  return predictions
})
