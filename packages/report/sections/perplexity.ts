import type { Chart } from "../charts/chart.ts"
import type { Block, Section } from "../document.ts"
import { formatNumber, formatTick } from "../format.ts"
import { type MeasuredModel, measuredModels, type ModelsOnText } from "../measured_models.ts"
import type { ReportRun } from "../report_run.ts"
import { collectRows, compareTable, runLetter } from "./compare.ts"

/** With more models than this, points have the numbers of the table's rows in place of names. */
const mostNamed = 12

/** So many lines to compare with. */
const mostLevels = 4

type Property = "sparsity" | "bitsPerWeight"

/** Models that a chart over this property says something of. */
const isShown = (property: Property, model: MeasuredModel): boolean => {
  if (model[property] === undefined || !Number.isFinite(model.perplexity)) return false
  // Rounding makes some weights zero; that is no sparsity that anybody asked for.
  return property === "bitsPerWeight" || model.bitsPerWeight === undefined || model.pruned
}

const titles = { sparsity: "sparsity", bitsPerWeight: "bits per weight" } as const

const percent = (value: number) => `${formatTick(Number((100 * value).toFixed(1)))} %`

/** A point of a chart: a model, or the same model of several runs that measured the same. */
interface Point {
  readonly model: MeasuredModel
  readonly name: string
  readonly number: string
}

/** Runs whose figures differ by less than this share are one point. */
const sameShare = 1e-3

const pointsOf = (
  models: ReadonlyArray<MeasuredModel>,
  property: Property,
  runs: ReadonlyArray<ReportRun>,
  numbers: ReadonlyMap<string, number>,
): ReadonlyArray<Point> => {
  const same = (a: number | undefined, b: number | undefined) =>
    a === b || (a !== undefined && b !== undefined && Math.abs(a - b) <= sameShare * Math.abs(a))
  return [...new Set(models.map(({ label }) => label))].flatMap((label) => {
    const [first, ...others] = models.filter((model) => model.label === label)
    const agree = others.every(
      (model) =>
        same(first.perplexity, model.perplexity) &&
        same(first[property], model[property]) &&
        first.method === model.method,
    )
    const number = String(numbers.get(label)!)
    if (agree) return [{ model: first, name: label, number }]
    return [first, ...others].map((model) => {
      const letter = runLetter(runs.indexOf(model.run))
      return { model, name: `${letter}: ${label}`, number: `${number}${letter}` }
    })
  })
}

/** Perplexity against a property, a series for each method. */
const chartOver = (
  property: Property,
  { text, models }: ModelsOnText,
  runs: ReadonlyArray<ReportRun>,
  numbers: ReadonlyMap<string, number>,
): ReadonlyArray<Chart> => {
  const shown = models.filter((model) => isShown(property, model))
  if (new Set(shown.map((model) => model[property])).size < 2) return []
  const points = pointsOf(shown, property, runs, numbers)
  const methods = [...new Set(points.map(({ model }) => model.method))].map((name) => ({
    name,
    members: points.filter(({ model }) => model.method === name),
  }))
  // Lines are drawn where every method has at most one model at each place.
  const functions = methods.every(
    ({ members }) => new Set(members.map(({ model }) => model[property])).size === members.length,
  )
  const series = methods.map(({ name, members }) => ({
    name,
    joined: functions && members.length > 1,
    points: members.map(({ model, name, number }) => ({
      x: model[property]!,
      y: model.perplexity,
      label: points.length > mostNamed ? number : name,
      short: number,
    })),
  }))
  const others = models.filter(
    (model) => model.original && !shown.includes(model) && Number.isFinite(model.perplexity),
  )
  const levels =
    property === "sparsity"
      ? []
      : pointsOf(others, property, runs, numbers)
          .slice(0, mostLevels)
          .map(({ model, name }) => {
            const y = model.perplexity
            return { name: `${name} ${formatNumber(y)}`, y }
          })
  return [
    {
      kind: "points",
      title: `Perplexity on ${text} against ${titles[property]}`,
      x: { title: titles[property], format: property === "sparsity" ? percent : formatTick },
      y: { title: "perplexity", format: formatTick },
      series,
      levels,
    },
  ]
}

const tableOf = (
  { text, models }: ModelsOnText,
  runs: ReadonlyArray<ReportRun>,
): ReadonlyArray<Block> => {
  const numbers = numbersOf(models)
  const rows = collectRows(
    models.map((model) => ({
      heading: `${numbers.get(model.label)!}. ${model.label}`,
      run: runs.indexOf(model.run),
      values: {
        perplexity: model.perplexity,
        sparsity: model.sparsity,
        bitsPerWeight: model.bitsPerWeight,
        layerError: model.layerError,
        method: model.method,
      },
    })),
  )
  const caption = `models, perplexity on ${text}`
  return compareTable({ caption, heading: "model", rows, several: runs.length > 1 })
}

const numbersOf = (models: ReadonlyArray<MeasuredModel>): ReadonlyMap<string, number> =>
  new Map([...new Set(models.map(({ label }) => label))].map((label, i) => [label, i + 1]))

/** What each model's perplexity is, and what it costs in weights or bits to have it. */
export const perplexitySection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  const blocks = measuredModels(runs).flatMap((models): ReadonlyArray<Block> => {
    const numbers = numbersOf(models.models)
    const charts = (["sparsity", "bitsPerWeight"] as const).flatMap((property) =>
      chartOver(property, models, runs, numbers),
    )
    return [...charts.map((chart) => ({ kind: "chart" as const, chart })), ...tableOf(models, runs)]
  })
  return blocks.length === 0 ? [] : [{ id: "perplexity", title: "Perplexity", blocks }]
}
