import type * as vega from "vega"
import { shorten } from "../format.ts"
import type { HeatChart } from "./chart.ts"

/** Colours are the variables `--heat-0`, for the smallest values, to `--heat-8`. */
export const heatColours = 9

/** The limits of the colours: `heatColours + 1` values at equal ratios, or distances where there is a zero. */
export const heatLimits = (chart: HeatChart): ReadonlyArray<number> => {
  const values = chart.cells.flat().filter((value) => value !== undefined)
  const low = values.reduce((a, b) => Math.min(a, b), Infinity)
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity)
  return Array.from({ length: heatColours + 1 }, (_, i) => {
    const share = i / heatColours
    return low > 0 ? low * (high / low) ** share : low + (high - low) * share
  })
}

/** The colour of a value: how many of the inner limits lie below it. */
export const heatColour = (limits: ReadonlyArray<number>, value: number): number =>
  limits.slice(1, -1).filter((limit) => value > limit).length

/** Layers down, steps across. */
export const drawHeat = (chart: HeatChart, width: number): vega.Spec => {
  const narrow = width < 500
  const rows = chart.rows.map((name) => shorten(name, narrow ? 18 : 30))
  const columns = chart.columns.map((name) => shorten(name, 24))
  const limits = heatLimits(chart)
  const cells = chart.cells.flatMap((values, row) =>
    values.flatMap((value, column) =>
      value === undefined
        ? []
        : [{ row, column, colour: `var(--heat-${heatColour(limits, value)})` }],
    ),
  )
  const longestOf = (names: ReadonlyArray<string>) => Math.max(...names.map((name) => name.length))
  const padding = {
    left: 12 + longestOf(rows) * (narrow ? 6.1 : 6.7),
    // Slanted names reach beyond the last column.
    right: narrow ? 6 : 20 + longestOf(columns) * 3.3,
    top: 14 + longestOf(columns) * (narrow ? 6.4 : 5.6),
    bottom: 4,
  }
  const across = (width - padding.left - padding.right) / columns.length
  const step = { x: Math.min(across, 56), y: rows.length > 40 ? 12 : narrow ? 16 : 20 }
  const size = narrow ? 11 : 12
  const label = {
    fontSize: { value: size },
    fill: { value: "var(--soft)" },
    baseline: { value: "middle" },
  } as const
  return {
    width: step.x * columns.length,
    height: step.y * rows.length,
    padding: { ...padding, right: width - padding.left - step.x * columns.length },
    autosize: "none",
    data: [
      { name: "cells", values: cells },
      { name: "rows", values: rows.map((name, i) => ({ i, name })) },
      { name: "columns", values: columns.map((name, i) => ({ i, name })) },
    ],
    marks: [
      {
        type: "rect",
        from: { data: "cells" },
        encode: {
          update: {
            x: { signal: `datum.column * ${step.x} + 0.5` },
            y: { signal: `datum.row * ${step.y} + 0.5` },
            width: { value: Math.max(1, step.x - 1) },
            height: { value: step.y - 1 },
            cornerRadius: { value: 1.5 },
            fill: { field: "colour" },
          },
        },
      },
      {
        type: "text",
        from: { data: "rows" },
        encode: {
          update: {
            x: { value: -7 },
            y: { signal: `(datum.i + 0.5) * ${step.y}` },
            align: { value: "right" },
            text: { field: "name" },
            ...label,
          },
        },
      },
      {
        type: "text",
        from: { data: "columns" },
        encode: {
          update: {
            x: { signal: `(datum.i + 0.5) * ${step.x}` },
            y: { value: -8 },
            angle: { value: narrow ? -90 : -55 },
            text: { field: "name" },
            ...label,
          },
        },
      },
    ],
  }
}
