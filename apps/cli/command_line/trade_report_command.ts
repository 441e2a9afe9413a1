import { hashedEmbeddings } from "@espalier/llm"
import { directionOf, runAgent, scoreDecisions } from "@espalier/trading"
import { Effect, FileSystem, Option, Path } from "effect"
import { Command, Flag } from "effect/cli"
import { tellFailures } from "../language_models/mod.ts"
import { baselineNames, makeLocalAgent } from "../trading/agents.ts"
import { hashFile } from "../trading/file_hash.ts"
import { readMarket } from "../trading/read_market.ts"
import { readRunFile, TradeRunUnusable } from "../trading/run_file.ts"
import type { ReportedAgent } from "../trading/trade_report.ts"
import { tellWork } from "./tell_work.ts"
import { writeOut } from "./terminal.ts"
import { figureFlags, marketFlags } from "./trade_flags.ts"
import { assetFlags, folderOf, pricesOf } from "./trade_phase.ts"
import { unwritable } from "./write_folder.ts"

/** Charts are loaded by those who want some: other commands begin sooner. */
const loadReport = Effect.promise(() =>
  Promise.all([import("@espalier/report"), import("../trading/trade_report.ts")]),
)

const tenBasisPoints = 0.001

/** `espalier trade report --asset btc`. */
export const tradeReportCommand = Command.make(
  "report",
  {
    ...assetFlags,
    ...figureFlags,
    futureNews: marketFlags.futureNews,
    data: marketFlags.data,
    format: Flag.Literals("format", ["html", "md"]).pipe(
      Flag.withDescription("one page that opens offline, or Markdown"),
      Flag.withDefault("html"),
    ),
    out: Flag.String("out").pipe(
      Flag.withDescription("the file to write (default: report.html or report.md in the folder)"),
      Flag.optional,
    ),
  },
  Effect.fnUntraced(function* (options) {
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const { asset, daysPerYear, seed, format, futureNews } = options
    const folder = yield* folderOf(options)
    const file = path.join(folder, "test.json")
    const run = yield* readRunFile(file, `run espalier trade test --asset ${asset} first`)
    const warmUp = yield* Effect.option(readRunFile(path.join(folder, "warm-up.json"), ""))
    const pricesFile = yield* pricesOf(options)
    if ((yield* hashFile(pricesFile)) !== run.prices) {
      return yield* new TradeRunUnusable({
        path: file,
        detail: `it is of other prices than ${pricesFile}`,
        hint: "give the same --prices as to trade test",
      })
    }
    const last = run.decisions.at(-1)?.date ?? run.from
    const window = { from: run.from, to: run.complete ? run.to : last }
    const work = Effect.gen(function* () {
      const { market } = yield* readMarket(pricesFile, { futureNews, news: "sentiment" })
      const own = new Map(run.decisions.map(({ date, action }) => [date, directionOf(action)]))
      const scoreOf = (name: string, decided: typeof own) =>
        Effect.fromResult(
          scoreDecisions(market, window, decided, { ...run.broker, daysPerYear, seed }),
        ).pipe(
          Effect.zip(
            Effect.fromResult(
              scoreDecisions(market, window, decided, {
                ...run.broker,
                fee: run.broker.fee + tenBasisPoints,
                daysPerYear,
                resamples: 1,
              }),
            ),
          ),
          Effect.map(([score, costly]): ReportedAgent => ({ name, score, costly })),
        )
      const baselines = yield* Effect.forEach(baselineNames, (name) =>
        Effect.flatMap(
          runAgent(makeLocalAgent(name, { asset, seed }), market, window),
          ({ directions }) => scoreOf(name, new Map(directions)),
        ),
      )
      return [yield* scoreOf(run.agent, own), ...baselines]
    })
    const agents = yield* work.pipe(
      tellWork("trade report"),
      Effect.provide(hashedEmbeddings({ dimensions: 256 })),
      tellFailures,
    )
    const [{ renderDocumentHtml, renderDocumentMarkdown }, { tradeReport }] = yield* loadReport
    const document = tradeReport({ run, warmUp: Option.getOrUndefined(warmUp), agents })
    const text =
      format === "html"
        ? renderDocumentHtml(document, "a simulation of trading")
        : renderDocumentMarkdown(document)
    const final = path.resolve(
      Option.getOrElse(options.out, () => path.join(folder, `report.${format}`)),
    )
    yield* fileSystem
      .makeDirectory(path.dirname(final), { recursive: true })
      .pipe(
        Effect.andThen(fileSystem.writeFileString(`${final}.partial`, text)),
        Effect.andThen(fileSystem.rename(`${final}.partial`, final)),
        Effect.mapError(unwritable(final)),
      )
    yield* writeOut(`${final}\n`)
  }),
).pipe(
  Command.withDescription(
    "Make a page of a test: every baseline beside the agent, equity, drawdown, positions, decisions and their memories",
  ),
)
