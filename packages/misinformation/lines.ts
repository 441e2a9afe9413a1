import { FileSystem, Effect, Stream } from "effect"
import { FmdFileError } from "./errors.ts"

/** A line of a file, counted from 1. */
export interface Line {
  readonly line: number
  readonly text: string
}

/** A line longer than this is no line of such a file: it would have to be in memory whole. */
const longestLine = 64 * 2 ** 20

interface State {
  readonly line: number
  readonly rest: ReadonlyArray<string>
  readonly length: number
}

/** The lines of text that comes in pieces, without empty ones; the rest stays for the next piece. */
const cut = (state: State, chunk: string): readonly [State, ReadonlyArray<Line>] => {
  const pieces = chunk.split("\n")
  if (pieces.length === 1) {
    return [{ ...state, rest: [...state.rest, chunk], length: state.length + chunk.length }, []]
  }
  const lines: Array<Line> = []
  let { line } = state
  for (const [i, piece] of pieces.slice(0, -1).entries()) {
    const text = i === 0 ? [...state.rest, piece].join("") : piece
    if (text.trim() !== "") lines.push({ line, text })
    line++
  }
  const last = pieces.at(-1)!
  return [{ line, rest: [last], length: last.length }, lines]
}

/** Reads a file line by line; never more of it is in memory than a piece and a line. */
export const readLines = (path: string): Stream.Stream<Line, FmdFileError, FileSystem.FileSystem> =>
  Stream.unwrap(
    Effect.map(FileSystem.FileSystem, (fileSystem) =>
      fileSystem.stream(path, { chunkSize: 2 ** 16 }).pipe(
        Stream.mapError(
          (error) =>
            new FmdFileError({
              path,
              detail: error.reason._tag === "NotFound" ? "there is no such file" : error.message,
              hint: "Give the path of a file with one JSON object a line, as FMD_val.json.",
            }),
        ),
        Stream.decodeText(),
        Stream.mapAccumEffect(
          (): State => ({ line: 1, rest: [], length: 0 }),
          (state, chunk) => {
            const [next, lines] = cut(state, chunk)
            return next.length > longestLine
              ? Effect.fail(
                  new FmdFileError({
                    path,
                    detail: `line ${next.line} is longer than ${longestLine / 2 ** 20} MiB`,
                    hint: "Give JSON lines: one object a line, not one array over the whole file.",
                  }),
                )
              : Effect.succeed([next, lines] as const)
          },
          {
            onHalt: ({ line, rest }) => {
              const text = rest.join("")
              return text.trim() === "" ? [] : [{ line, text }]
            },
          },
        ),
        Stream.map((each) =>
          each.line === 1 && each.text.startsWith("\ufeff")
            ? { ...each, text: each.text.slice(1) }
            : each,
        ),
      ),
    ),
  )
