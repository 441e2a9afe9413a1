import { Store } from "@espalier/pipeline"
import { Effect, FileSystem, Option, Path } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { findRun, unfinished } from "../run_history/run_history.ts"
import { storeLayer } from "./application.ts"
import { commonFlags } from "./common_flags.ts"
import { writeOut } from "./terminal.ts"
import { unwritable } from "./write_folder.ts"

/** Charts are loaded by those who want some: other commands begin sooner. */
const loadReport = Effect.promise(() => import("@espalier/report"))

/** Reads what a report tells of a run. */
const readReportRun = Effect.fnUntraced(function* (given: Option.Option<string>) {
  const { decodeManifest } = yield* loadReport
  const store = yield* Store
  const { run } = yield* findRun(given)
  const bytes = yield* store.readRunFile(run, "manifest.json")
  if (Option.isNone(bytes)) return yield* unfinished(run)
  const text = new TextDecoder().decode(bytes.value)
  return { run, report: yield* Effect.fromResult(decodeManifest(text, `${run}/manifest.json`)) }
})

/** The page of some runs, in the folder of the first of them; gives the file. */
export const writeReport = Effect.fnUntraced(function* (
  runs: ReadonlyArray<Option.Option<string>>,
) {
  const store = yield* Store
  const read = yield* Effect.forEach(runs, readReportRun)
  const { renderHtml } = yield* loadReport
  const html = renderHtml(read.map(({ report }) => report))
  return yield* store.writeRunFile(read[0].run, "report.html", html)
})

/** `espalier report RUN…`. */
export const reportCommand = Command.make(
  "report",
  {
    runs: Argument.variadic(
      Argument.String("RUN").pipe(
        Argument.withDescription("names of runs, or their beginnings (default: the last one)"),
      ),
    ),
    format: Flag.Literals("format", ["html", "md"]).pipe(
      Flag.withDescription("one page that opens offline, or Markdown on standard output"),
      Flag.withDefault("html"),
    ),
    out: Flag.String("out").pipe(
      Flag.withDescription("the file to write (default for html: report.html of the first run)"),
      Flag.optional,
    ),
    store: commonFlags.store,
  },
  Effect.fnUntraced(function* ({ runs, format, out, store }) {
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const asked: ReadonlyArray<Option.Option<string>> =
      runs.length === 0 ? [Option.none()] : runs.map((run) => Option.some(run))
    if (format === "html" && Option.isNone(out)) {
      return yield* writeOut(
        `${yield* writeReport(asked).pipe(Effect.provide(storeLayer(store)))}\n`,
      )
    }
    const read = yield* Effect.forEach(asked, readReportRun).pipe(Effect.provide(storeLayer(store)))
    const reports = read.map(({ report }) => report)
    const { renderHtml, renderMarkdown } = yield* loadReport
    const text = format === "html" ? renderHtml(reports) : renderMarkdown(reports)
    if (Option.isNone(out)) return yield* writeOut(text)
    const file = path.resolve(out.value)
    const draft = `${file}.partial`
    yield* fileSystem
      .makeDirectory(path.dirname(file), { recursive: true })
      .pipe(
        Effect.andThen(fileSystem.writeFileString(draft, text)),
        Effect.andThen(fileSystem.rename(draft, file)),
        Effect.mapError(unwritable(file)),
      )
    yield* writeOut(`${file}\n`)
  }),
).pipe(
  Command.withDescription("Make a page of one or several runs: tables, charts, graph, manifest"),
)
