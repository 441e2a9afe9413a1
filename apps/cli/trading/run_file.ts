import { unreadable } from "@espalier/pipeline"
import type { DatedDecision } from "@espalier/trading"
import { Effect, FileSystem, Option, Path, Schema } from "effect"
import { unwritable } from "../command_line/write_folder.ts"

/** There is nothing to go on from or to report. */
export class TradeRunMissing extends Schema.TaggedError<TradeRunMissing>()("TradeRunMissing", {
  path: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path} is not there`
  }
}

/** A run's file that is damaged, of something else, or in the way. */
export class TradeRunUnusable extends Schema.TaggedError<TradeRunUnusable>()("TradeRunUnusable", {
  path: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path}: ${this.detail}`
  }
}

const Memory = Schema.Struct({
  id: Schema.Int,
  layer: Schema.String,
  date: Schema.String,
  text: Schema.String,
  score: Schema.Finite,
})

const Decision = Schema.Struct({
  date: Schema.String,
  price: Schema.Finite,
  action: Schema.Literals(["buy", "sell", "hold"]),
  reason: Schema.optionalKey(Schema.String),
  recalled: Schema.optionalKey(Schema.Array(Memory)),
  cited: Schema.optionalKey(Schema.Array(Schema.Int)),
  invented: Schema.optionalKey(Schema.Array(Schema.Int)),
})

/** What a warm-up or a test leaves in its folder. */
export const TradeRunFile = Schema.Struct({
  phase: Schema.Literals(["warm-up", "test"]),
  agent: Schema.String,
  /** The language model, where one was asked. */
  model: Schema.NullOr(Schema.String),
  asset: Schema.String,
  /** SHA-256 of the price file. */
  prices: Schema.String,
  from: Schema.String,
  to: Schema.String,
  broker: Schema.Struct({
    fill: Schema.Literals(["close", "next"]),
    fee: Schema.Finite,
    spread: Schema.Finite,
    slippage: Schema.Finite,
    lot: Schema.Finite,
    shortLimit: Schema.Finite,
    cash: Schema.Finite,
  }),
  /** How many days the window has: more than there are decisions in a run that was stopped. */
  days: Schema.Int,
  complete: Schema.Boolean,
  decisions: Schema.Array(Decision),
  state: Schema.Unknown,
})
export type TradeRun = typeof TradeRunFile.Type

const Document = Schema.fromJsonString(TradeRunFile)

/** Reads a run's file. */
export const readRunFile = Effect.fnUntraced(function* (path: string, hint: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const there = yield* Effect.orElseSucceed(fileSystem.exists(path), () => false)
  if (!there) return yield* new TradeRunMissing({ path, hint })
  const text = yield* Effect.mapError(fileSystem.readFileString(path), unreadable(path))
  const decoded = Schema.decodeUnknownOption(Document)(text)
  if (Option.isSome(decoded)) return decoded.value
  return yield* new TradeRunUnusable({
    path,
    detail: "it is not what espalier trade writes, or is damaged",
    hint: "remove it and run the command again that writes it",
  })
})

/** Writes a run's file, by way of a temporary name. */
export const writeRunFile = Effect.fnUntraced(function* (path: string, run: TradeRun) {
  const fileSystem = yield* FileSystem.FileSystem
  const { dirname } = yield* Path.Path
  const draft = `${path}.draft`
  yield* fileSystem
    .makeDirectory(dirname(path), { recursive: true })
    .pipe(
      Effect.andThen(fileSystem.writeFileString(draft, `${JSON.stringify(run, null, 1)}\n`)),
      Effect.andThen(fileSystem.rename(draft, path)),
      Effect.mapError(unwritable(path)),
    )
})

/** How many of the memories that an agent named it was never shown. */
export const countInvented = (decisions: ReadonlyArray<Pick<DatedDecision, "invented">>): number =>
  decisions.reduce((sum, { invented = [] }) => sum + invented.length, 0)
