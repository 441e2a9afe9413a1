import {
  type ExportReport,
  type GarbageReport,
  type ImportReport,
  Store,
  type StoreUsage,
} from "@espalier/pipeline"
import { ByteSize, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { findRun } from "../run_history/run_history.ts"
import { storeLayer } from "./application.ts"
import { historyFlags } from "./history_flags.ts"
import { formatCount, formatTable } from "./table.ts"
import { remoteAddress } from "./remote_flag.ts"
import { writeError, writeOut } from "./terminal.ts"

const hour = 60 * 60 * 1000

const entries = (number: number) => formatCount(number, "entry", "entries")

const formatBytes = (bytes: number) => ByteSize.format(ByteSize.bytes(bytes), { precision: 1 })

/** Prints a report: as a document where that was asked for, else in words. */
const tell = <A>(json: boolean, report: A, inWords: (report: A) => string) =>
  writeOut(`${json ? JSON.stringify(report, null, 2) : inWords(report)}\n`)

const usageText = (usage: StoreUsage): string => {
  const { runs, steps } = usage
  const parts = [
    formatTable([
      ["run", "pipeline", "status", "steps", "results"],
      ...runs.map((run) => [
        run.run,
        run.pipeline,
        run.status,
        String(run.steps),
        formatBytes(run.bytes),
      ]),
    ]),
    formatTable([
      ["pipeline", "step", "use", "kept", "results"],
      ...steps.map((step) => [
        step.pipeline,
        step.step,
        step.use,
        String(step.results),
        formatBytes(step.bytes),
      ]),
    ]),
  ]
  const all = [
    formatCount(runs.length, "run"),
    entries(usage.entries),
    formatCount(usage.objects, "object"),
    formatBytes(usage.bytes),
    ...(usage.checkpoints === 0
      ? []
      : [`unfinished work of ${formatCount(usage.checkpoints, "step")}`]),
  ]
  return [...(runs.length === 0 ? [] : parts), `${usage.folder}: ${all.join(", ")}`].join("\n\n")
}

const list = Command.make(
  "ls",
  historyFlags,
  Effect.fnUntraced(function* ({ store, json }) {
    const usage = yield* Effect.flatMap(Store, (opened) => opened.usage).pipe(
      Effect.provide(storeLayer(store)),
    )
    yield* tell(json, usage, usageText)
  }),
).pipe(Command.withDescription("Say what the store holds, by run and by step"))

const garbageText = (report: GarbageReport): string => {
  const { runs, checkpoints, tooYoung } = report
  const removed = [
    formatCount(runs.removed, "run"),
    entries(report.entries.removed),
    formatCount(report.objects.removed, "object"),
    ...(checkpoints.removed === 0
      ? []
      : [`unfinished work of ${formatCount(checkpoints.removed, "step")}`]),
  ]
  const kept = [
    formatCount(runs.kept, "run"),
    entries(report.entries.kept),
    formatCount(report.objects.kept, "object"),
  ]
  return [
    `${report.dryRun ? "would remove" : "removed"}: ${removed.join(", ")} (${formatBytes(report.bytesFreed)})`,
    ...runs.names.map((run) => `  ${run}`),
    `kept: ${kept.join(", ")}`,
    ...(tooYoung === 0
      ? []
      : [
          `left, because it is too young (--grace): ${formatCount(tooYoung, "thing")} not needed by what is kept`,
        ]),
  ].join("\n")
}

const collect = Command.make(
  "gc",
  {
    keepRuns: Flag.Int("keep-runs").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
      Flag.withDescription("keep so many of the last runs of each pipeline, remove the others"),
      Flag.optional,
    ),
    olderThan: Flag.Finite("older-than").pipe(
      Flag.withSchema(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))),
      Flag.withDescription(
        "remove runs older than so many days; with --keep-runs, what both let go",
      ),
      Flag.optional,
    ),
    grace: Flag.Finite("grace").pipe(
      Flag.withSchema(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))),
      Flag.withDescription("leave what was written in the last so many hours"),
      Flag.withDefault(1),
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("only say what would be removed"),
      Flag.withDefault(false),
    ),
    ...historyFlags,
  },
  Effect.fnUntraced(function* ({ keepRuns, olderThan, grace, dryRun, store, json }) {
    const report = yield* Effect.flatMap(Store, ({ collectGarbage }) =>
      collectGarbage({
        ...Option.match(keepRuns, { onNone: () => ({}), onSome: (keepRuns) => ({ keepRuns }) }),
        ...Option.match(olderThan, { onNone: () => ({}), onSome: (olderThan) => ({ olderThan }) }),
        grace: grace * hour,
        dryRun,
      }),
    ).pipe(Effect.provide(storeLayer(store)))
    yield* tell(json, report, garbageText)
    const remote = remoteAddress(Option.none())
    if (Option.isSome(remote) && !json) {
      yield* writeError(`note: nothing of ${remote.value} was removed: others may need it\n`)
    }
  }),
).pipe(
  Command.withDescription(
    "Remove what no kept run needs; all runs are kept unless you say. What is in a remote stays",
  ),
)

const exportText = (report: ExportReport): string =>
  `${formatCount(report.runs, "run")}, ${entries(report.entries)}, ${formatCount(report.objects, "object")} (${formatBytes(report.bytes)}) → ${report.file}`

const exportCommand = Command.make(
  "export",
  {
    runs: Argument.String("RUN").pipe(
      Argument.withDescription("the name of a run, or its beginning"),
      Argument.atLeast(1),
    ),
    out: Flag.String("out").pipe(Flag.withDescription("the tar file to write")),
    ...historyFlags,
  },
  Effect.fnUntraced(function* ({ runs, out, store, json }) {
    const report = yield* Effect.gen(function* () {
      const found = yield* Effect.forEach(runs, (run) => findRun(Option.some(run)))
      const { exportRuns } = yield* Store
      return yield* exportRuns(
        found.map(({ run }) => run),
        out,
      )
    }).pipe(Effect.provide(storeLayer(store)))
    yield* tell(json, report, exportText)
  }),
).pipe(Command.withDescription("Write runs into a file, with all results that they need"))

const importText = ({ runs, known, entries: results, objects }: ImportReport): string =>
  [
    `${formatCount(runs.length, "run")}, ${entries(results)}, ${formatCount(objects, "object")}`,
    ...runs.map((run) => `  ${run}${known.includes(run) ? " (was there before)" : ""}`),
  ].join("\n")

const importCommand = Command.make(
  "import",
  {
    file: Argument.String("FILE").pipe(
      Argument.withDescription("what espalier cache export wrote"),
    ),
    ...historyFlags,
  },
  Effect.fnUntraced(function* ({ file, store, json }) {
    const report = yield* Effect.flatMap(Store, ({ importRuns }) => importRuns(file)).pipe(
      Effect.provide(storeLayer(store)),
    )
    yield* tell(json, report, importText)
  }),
).pipe(Command.withDescription("Take in runs from such a file; it is checked first"))

/** `espalier cache`. */
export const cacheCommand = Command.make("cache").pipe(
  Command.withDescription("Look after the store: what is in it, what can go, and moving runs"),
  Command.withSubcommands([list, collect, exportCommand, importCommand]),
)
