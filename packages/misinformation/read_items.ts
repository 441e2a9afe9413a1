import { Notices } from "@espalier/runtime"
import type { FileSystem } from "effect"
import { Effect, Result, Stream } from "effect"
import { FmdFileError, type FmdFormatError } from "./errors.ts"
import type { Claim, Item } from "./item.ts"
import { type Line, readLines } from "./lines.ts"
import { readClaim, readItem } from "./read_records.ts"

/** How broken lines are dealt with. */
export interface ReadOptions {
  /** Leave broken lines out and say so; by default the first one is an error. */
  readonly skipBroken?: boolean
}

const recordsOf =
  <A>(read: (path: string, line: Line) => Result.Result<A, FmdFormatError>) =>
  (
    path: string,
    { skipBroken = false }: ReadOptions = {},
  ): Stream.Stream<A, FmdFileError | FmdFormatError, FileSystem.FileSystem> =>
    readLines(path).pipe(
      Stream.mapEffect((line): Effect.Effect<ReadonlyArray<A>, FmdFormatError> => {
        const record = read(path, line)
        if (Result.isSuccess(record)) return Effect.succeed([record.success])
        if (!skipBroken) return Effect.fail(record.failure)
        return Effect.as(Notices.report(`left out ${record.failure.message}`), [])
      }),
      Stream.flattenIterable,
    )

/** The claims and contexts of a file of the challenge, one after another. */
export const streamClaims: (
  path: string,
  options?: ReadOptions,
) => Stream.Stream<Claim, FmdFileError | FmdFormatError, FileSystem.FileSystem> =
  recordsOf(readClaim)

/**
 * The items of a file of the challenge, right answers included.
 *
 * Fails with `FmdFormatError` (path, line, field, hint), and with `FmdFileError` where the file cannot
 * be read or no item is left.
 */
export const readItems = Effect.fn("readItems")(function* (
  path: string,
  options?: ReadOptions,
): Effect.fn.Return<ReadonlyArray<Item>, FmdFileError | FmdFormatError, FileSystem.FileSystem> {
  const items = yield* Stream.runCollect(recordsOf(readItem)(path, options))
  if (items.length > 0) return items
  const hint = "Give JSON lines of instruction and output, as in FMD_train.json."
  return yield* new FmdFileError({ path, detail: "there is no item in it", hint })
})
