import { isProcessRunning, Store, suggest } from "@espalier/pipeline"
import { Effect, Option, Schema } from "effect"
import { RunLogEvent, RunManifest, RunRequest } from "./manifest.ts"

/** There is no run of that name in the store, or none at all. */
export class RunNotFound extends Schema.TaggedError<RunNotFound>()("RunNotFound", {
  run: Schema.optionalKey(Schema.String),
  store: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return this.run === undefined
      ? `there is no run in ${this.store}`
      : `there is no run ${this.run} in ${this.store}`
  }
}

/** A run's manifest is needed, and it is not there or not readable. */
export class RunUnfinished extends Schema.TaggedError<RunUnfinished>()("RunUnfinished", {
  run: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the run ${this.run} has no manifest that could be read`
  }
}

/** What the store knows of a run. `killed`: it has ended without a word. */
export interface PastRun {
  readonly run: string
  readonly status: "done" | "failed" | "interrupted" | "running" | "killed"
  readonly name: string
  readonly started: string
  readonly request: RunRequest | undefined
  readonly manifest: RunManifest | undefined
}

const readJson = Effect.fnUntraced(function* <A>(
  run: string,
  name: string,
  schema: Schema.Codec<A, unknown>,
) {
  const store = yield* Store
  const bytes = yield* store.readRunFile(run, name)
  const text = Option.map(bytes, (found) => new TextDecoder().decode(found))
  return Option.getOrUndefined(
    Option.flatMap(text, Schema.decodeUnknownOption(Schema.fromJsonString(schema))),
  )
})

/** Reads what there is of a run. */
export const readRun = Effect.fnUntraced(function* (run: string) {
  const manifest = yield* readJson(run, "manifest.json", RunManifest)
  const request = yield* readJson(run, "run.json", RunRequest)
  const alive = request !== undefined && isProcessRunning(request.process)
  const past: PastRun = {
    run,
    status: manifest?.status ?? (alive ? "running" : "killed"),
    name: manifest?.name ?? request?.name ?? "",
    started: manifest?.started ?? request?.started ?? "",
    request,
    manifest,
  }
  return past
})

/** The names of all runs, the newest first. */
const runNames = Effect.gen(function* () {
  const store = yield* Store
  const runs = yield* store.listRuns
  return runs.map(({ run }) => run).toSorted((a, b) => (a < b ? 1 : -1))
})

/** All runs, the newest first. */
export const readRuns = Effect.flatMap(runNames, (names) => Effect.forEach(names, readRun))

/** The run that is named, by its name or the beginning of it; the newest where none is. */
export const findRun = Effect.fnUntraced(function* (given: Option.Option<string>) {
  const store = yield* Store
  const names = yield* runNames
  const missing = (run: string | undefined, hint: string) =>
    new RunNotFound({ ...(run === undefined ? {} : { run }), store: store.folder, hint })
  if (names.length === 0) {
    const hint = "Run a pipeline first, or name another store with --store DIR."
    return yield* missing(Option.getOrUndefined(given), hint)
  }
  if (Option.isNone(given)) return yield* readRun(names[0])
  const exact = names.filter((name) => name === given.value)
  const found = exact.length > 0 ? exact : names.filter((name) => name.startsWith(given.value))
  if (found.length === 1) return yield* readRun(found[0])
  const hint =
    found.length > 1
      ? `That is the beginning of ${found.length} runs: ${found.slice(0, 5).join(", ")}.`
      : suggest(given.value, names.slice(0, 50), "runs (espalier ls)")
  return yield* missing(given.value, hint)
})

/** What is told of a run without a manifest. */
export const unfinished = (run: string): RunUnfinished => {
  const hint = `espalier status ${run} says what became of it, espalier resume ${run} goes on.`
  return new RunUnfinished({ run, hint })
}

/** The manifest of a run that has one. */
export const manifestOf = ({ run, manifest }: PastRun): Effect.Effect<RunManifest, RunUnfinished> =>
  manifest === undefined ? Effect.fail(unfinished(run)) : Effect.succeed(manifest)

/** The manifest of a run that is named. */
export const findManifest = Effect.fnUntraced(function* (given: Option.Option<string>) {
  return yield* manifestOf(yield* findRun(given))
})

/** What a run has told, line by line; a line that was cut off by a kill is left out. */
export const readEvents = Effect.fnUntraced(function* (run: string) {
  const store = yield* Store
  const bytes = yield* store.readRunFile(run, "events.jsonl")
  if (Option.isNone(bytes)) return []
  const decode = Schema.decodeUnknownOption(Schema.fromJsonString(RunLogEvent))
  return new TextDecoder()
    .decode(bytes.value)
    .split("\n")
    .flatMap((line) => Option.toArray(decode(line)))
})
