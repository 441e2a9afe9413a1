import { Notices } from "@espalier/runtime"
import { Effect, FileSystem, Option, Path, Schema } from "effect"
import { CassetteFileError } from "../typed_errors.ts"

/** One line of a cassette. */
export const CassetteLine = Schema.Struct({
  format: Schema.Literal(1),
  /** SHA-256 of the request and its occurrence. */
  key: Schema.String,
  /** How often this very request had been made before it, in the run that recorded it. */
  occurrence: Schema.Int,
  recordedAt: Schema.String,
  request: Schema.Json,
  response: Schema.Json,
})

/** One line of a cassette. */
export type CassetteLine = typeof CassetteLine.Type

const decodeLine = Schema.decodeUnknownOption(Schema.fromJsonString(CassetteLine))

const problemOf = (file: string, problem: string) => (error: { readonly message: string }) =>
  new CassetteFileError({
    file,
    problem: `${problem} (${error.message})`,
    hint: "Check the path (--cassette) and its permissions.",
  })

/**
 * Reads a cassette; a file that is not there is an empty one. A line that is not whole, as a killed
 * process leaves it, is told and left out.
 */
export const readCassette = Effect.fnUntraced(function* (file: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const cannotRead = problemOf(file, "the cassette cannot be read")
  if (!(yield* Effect.mapError(fileSystem.exists(file), cannotRead))) return []
  const text = yield* Effect.mapError(fileSystem.readFileString(file), cannotRead)
  const lines: Array<CassetteLine> = []
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const decoded = decodeLine(line)
    if (Option.isSome(decoded)) lines.push(decoded.value)
    else yield* Notices.report(`${file}: line ${index + 1} is torn or damaged and was left out`)
  }
  return lines
})

const lineFeed = 10

/**
 * Appends lines to a cassette, each with one write that is on the disk before it returns, so neither
 * a killed process nor another one that writes the same file loses what stands there.
 */
export const makeCassetteWriter = Effect.fnUntraced(function* (file: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const encoder = new TextEncoder()

  /** Whether the file ends in the middle of a line. */
  const endsTorn = Effect.fnUntraced(function* () {
    const { size } = yield* fileSystem.stat(file)
    if (size === 0n) return false
    const opened = yield* fileSystem.open(file, { flag: "r" })
    yield* opened.seek(size - 1n, "start")
    const last = yield* opened.readAlloc(1)
    return Option.isSome(last) && last.value[0] !== lineFeed
  })

  const append = Effect.fnUntraced(function* (line: CassetteLine) {
    yield* fileSystem.makeDirectory(path.dirname(file), { recursive: true })
    const opened = yield* fileSystem.open(file, { flag: "a" })
    const start = (yield* endsTorn()) ? "\n" : ""
    yield* opened.writeAll(encoder.encode(`${start}${JSON.stringify(line)}\n`))
    yield* opened.sync
  }, Effect.scoped)

  return (line: CassetteLine) =>
    Effect.mapError(append(line), problemOf(file, "the cassette cannot be written"))
})
