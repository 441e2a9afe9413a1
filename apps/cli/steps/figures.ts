import { suggest } from "@espalier/pipeline"
import { Predicate, Schema } from "effect"

/** A metric that none of the steps has. */
export class MetricMissing extends Schema.TaggedError<MetricMissing>()("MetricMissing", {
  column: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `none of the rows has a metric "${this.column}"`
  }
}

/** What several steps measured, by the name of their row. */
export type Rows = ReadonlyArray<{
  readonly name: string
  readonly value: Readonly<Record<string, unknown>>
}>

/** A figure: a number, or of a group of figures its `overall`; infinite ones are words. */
export const figureOf = (value: unknown): number | string | undefined => {
  if (typeof value === "number" || typeof value === "string") return value
  return Predicate.isObject(value) && "overall" in value ? figureOf(value.overall) : undefined
}

/** The error for a metric that no row has, with what they do have. */
export const missingMetric = (column: string, rows: Rows): MetricMissing => {
  const known = [...new Set(rows.flatMap(({ value }) => Object.keys(value)))]
  return new MetricMissing({ column, hint: suggest(column, known, "metrics of these steps") })
}

/** The figure of each row as a number, infinite ones included; none where a row lacks it. */
export const numbersOf = (column: string, rows: Rows): ReadonlyArray<number> | undefined => {
  const numbers = rows.map(({ value }) => {
    const figure = figureOf(value[column])
    return figure === undefined ? NaN : Number(figure)
  })
  return numbers.some(Number.isNaN) ? undefined : numbers
}
