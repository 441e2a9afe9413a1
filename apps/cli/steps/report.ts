import { Metrics, Step } from "@espalier/pipeline"
import { Effect, Schema } from "effect"
import { figureOf, missingMetric, numbersOf } from "./figures.ts"

const format = (value: number | string | undefined): string =>
  typeof value === "number" && !Number.isInteger(value) ? value.toPrecision(5) : `${value ?? ""}`

const markdown = (columns: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>) =>
  [["", ...columns], ["---", ...columns.map(() => "---:")], ...rows]
    .map((cells) => `| ${cells.join(" | ")} |\n`)
    .join("")

/** `report/table`: what several steps measured, side by side. */
export const reportTable = Step.define({
  use: "report/table",
  description:
    "Puts metrics of several steps side by side: printed at the end of a run, and as table.md with --out.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    columns: Schema.Array(Schema.NonEmptyString)
      .annotate({ description: "the metrics to show" })
      .pipe(Schema.withDecodingDefault(Effect.succeed(["perplexity"]))),
  }),
  inputs: {
    rows: {
      type: Metrics,
      many: true,
      description: "the steps, by the name of their row or as a list",
    },
  },
  run: ({ config: { columns }, inputs: { rows } }) =>
    Effect.gen(function* () {
      const table = rows.map(
        ({ name, value }) => [name, columns.map((column) => figureOf(value[column]))] as const,
      )
      for (const [i, column] of columns.entries()) {
        if (rows.length === 0 || table.some(([, figures]) => figures[i] !== undefined)) continue
        return yield* missingMetric(column, rows)
      }
      return {
        metrics: {
          table: Object.fromEntries(
            table.map(([name, figures]) => [
              name,
              Object.fromEntries(columns.map((column, i) => [column, figures[i] ?? null])),
            ]),
          ),
        },
        files: {
          "table.md": markdown(
            columns,
            table.map(([name, figures]) => [name, ...figures.map(format)]),
          ),
        },
      }
    }),
})

const median = (sorted: ReadonlyArray<number>): number =>
  (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2

/** `report/spread`: median and range of repeated measurements. */
export const reportSpread = Step.define({
  use: "report/spread",
  description:
    "Median, smallest and largest value of one metric over several steps, such as seeds.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    metric: Schema.NonEmptyString.annotate({ description: "the metric to summarise" }).pipe(
      Schema.withDecodingDefault(Effect.succeed("perplexity")),
    ),
  }),
  inputs: { rows: { type: Metrics, many: true, description: "the steps that measured it" } },
  run: ({ config: { metric }, inputs: { rows } }) =>
    Effect.gen(function* () {
      const values = numbersOf(metric, rows)
      if (values === undefined || values.length === 0) return yield* missingMetric(metric, rows)
      const sorted = values.toSorted((a, b) => a - b)
      return {
        metrics: {
          [metric]: median(sorted),
          smallest: sorted[0],
          largest: sorted[sorted.length - 1],
          runs: sorted.length,
        },
      }
    }),
})
