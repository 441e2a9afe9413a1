import { Notices } from "@espalier/runtime"
import type { FileSystem } from "effect"
import { Effect, Option, Result, Stream } from "effect"
import { readAnswer } from "./answer.ts"
import { FmdFileError, type FmdFormatError, PredictionCountMismatch } from "./errors.ts"
import { type Line, readLines } from "./lines.ts"
import { readGold, readPrediction } from "./read_records.ts"
import { addScore, type FmdScore, noScores, scoreAnswer, scoreOf } from "./score.ts"

/** Two files to compare. */
export interface ScoreFiles {
  /** JSON lines with an answer in `output`, the prompt before it or not. */
  readonly predictions: string
  /** JSON lines as in `FMD_val.json`, in the same order. */
  readonly gold: string
  /** Leave out the items of which either line cannot be read, and say so; by default that is an error. */
  readonly skipBroken?: boolean
}

/** The score of two files, and how many items were left out because a line could not be read. */
export interface FileScore extends FmdScore {
  readonly skipped: number
}

type Pair = readonly [Option.Option<Line>, Option.Option<Line>]

/** The lines of a file, and after them nothing for ever. */
const endless = (path: string) =>
  Stream.concat(
    Stream.map(readLines(path), Option.some),
    Stream.iterate(Option.none<Line>(), (none) => none),
  )

interface Sums {
  readonly scores: typeof noScores
  readonly predicted: number
  readonly expected: number
  readonly skipped: number
}

/**
 * The challenge's score of a file of predictions. Both files are read line by line and side by side,
 * so that their size does not matter.
 *
 * Fails with `FmdFileError` where a file cannot be read or is empty, with `FmdFormatError` (path, line,
 * field, hint) at the first line that is no such record, and with `PredictionCountMismatch`.
 */
export const scoreFiles = Effect.fn("scoreFiles")(function* ({
  predictions,
  gold,
  skipBroken = false,
}: ScoreFiles): Effect.fn.Return<
  FileScore,
  FmdFileError | FmdFormatError | PredictionCountMismatch,
  FileSystem.FileSystem
> {
  const add = Effect.fnUntraced(function* (sums: Sums, [given, wanted]: Pair) {
    const next = {
      ...sums,
      predicted: sums.predicted + (Option.isSome(given) ? 1 : 0),
      expected: sums.expected + (Option.isSome(wanted) ? 1 : 0),
    }
    if (Option.isNone(given) || Option.isNone(wanted)) return next
    const output = readPrediction(predictions, given.value)
    const answer = readGold(gold, wanted.value)
    const broken = [
      ...(Result.isFailure(output) ? [output.failure] : []),
      ...(Result.isFailure(answer) ? [answer.failure] : []),
    ]
    if (Result.isSuccess(output) && Result.isSuccess(answer)) {
      const score = scoreAnswer(readAnswer(output.success), answer.success)
      return { ...next, scores: addScore(sums.scores, score) }
    }
    if (!skipBroken) return yield* broken[0]
    for (const { message } of broken) yield* Notices.report(`left out ${message}`)
    return { ...next, skipped: sums.skipped + 1 }
  })
  const none: Sums = { scores: noScores, predicted: 0, expected: 0, skipped: 0 }
  const { scores, predicted, expected, skipped } = yield* Stream.zip(
    endless(predictions),
    endless(gold),
  ).pipe(
    Stream.takeWhile(([given, wanted]) => Option.isSome(given) || Option.isSome(wanted)),
    Stream.runFoldEffect(() => none, add),
  )
  const empty = expected === 0 ? gold : predicted === 0 ? predictions : undefined
  if (empty !== undefined) {
    const hint = "Give JSON lines: one object with an output for each item."
    return yield* new FmdFileError({ path: empty, detail: "there is no line in it", hint })
  }
  if (predicted !== expected) {
    const hint = "Give one prediction for each line of the gold file, in the same order."
    return yield* new PredictionCountMismatch({ predictions, gold, predicted, expected, hint })
  }
  return { ...scoreOf(scores), skipped }
})
