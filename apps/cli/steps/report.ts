import { Metrics, Step, suggest } from "@espalier/pipeline"
import { Effect, Predicate, Schema } from "effect"

/** A column that no row of a table has. */
export class MetricMissing extends Schema.TaggedError<MetricMissing>()("MetricMissing", {
  column: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `none of the rows has a metric "${this.column}"`
  }
}

/** A figure: a number, or of a group of figures its `overall`; infinite ones are words. */
const figureOf = (value: unknown): number | string | undefined => {
  if (typeof value === "number" || typeof value === "string") return value
  return Predicate.isObject(value) && "overall" in value ? figureOf(value.overall) : undefined
}

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
        const known = [...new Set(rows.flatMap(({ value }) => Object.keys(value)))]
        return yield* new MetricMissing({
          column,
          hint: suggest(column, known, "metrics of these steps"),
        })
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
