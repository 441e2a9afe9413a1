import type * as vega from "vega"
import { type PointChart, seriesColour, seriesShape } from "./chart.ts"
import { placeLabels } from "./place_labels.ts"
import { axisScale, positionOn } from "./ticks.ts"

/** How wide a text of 12 pixels is, about. */
const textWidth = (text: string) => text.length * 6.7

/** Points, lines and levels. */
export const drawPoints = (chart: PointChart, width: number): vega.Spec => {
  const narrow = width < 500
  const points = chart.series.flatMap((series, s) => {
    const sorted = series.points.toSorted((a, b) => a.x - b.x)
    return sorted.map(({ x, y, label = "", short = label }) => ({ series: s, x, y, label, short }))
  })
  const levels = chart.levels.map(({ name, y }) => ({ name, y }))
  const xs = axisScale(
    points.map(({ x }) => x),
    narrow ? 5 : 9,
    false,
  )
  const ys = axisScale(
    [...points, ...levels].map(({ y }) => y),
    narrow ? 6 : 8,
    true,
  )
  const named = (ticks: ReadonlyArray<number>, format: (value: number) => string) =>
    Object.fromEntries(ticks.map((tick) => [tick, format(tick)]))
  const labels = {
    x: named(xs.ticks, chart.x.format),
    y: named(ys.ticks, chart.y.format),
  }
  const left = 42 + Math.max(...ys.ticks.map((tick) => textWidth(chart.y.format(tick))))
  const padding = { left, right: 18, top: 14, bottom: 52 }
  const inner = {
    width: width - padding.left - padding.right,
    height: (narrow ? 300 : 400) - padding.top - padding.bottom,
  }
  // Where a line has many points, the points say nothing that the line does not.
  const single = points.filter(({ series }) => {
    const { joined, points } = chart.series[series]
    return !joined || points.length <= 40
  })
  const heightOf = (y: number) => (1 - positionOn(ys, y)) * inner.height
  const place = (text: "label" | "short") =>
    placeLabels(
      single.map((point) => ({
        x: positionOn(xs, point.x) * inner.width,
        y: heightOf(point.y),
        label: point[text],
      })),
      levels.map(({ name, y }) => ({ y: heightOf(y), label: name })),
      inner.width,
      inner.height,
    )
  const long = place("label")
  const wanted = levels.length + single.filter(({ label }) => label !== "").length
  const placed = long.length < wanted ? place("short") : long
  const position = {
    x: { scale: "x", field: "x" },
    y: { scale: "y", field: "y" },
  } as const
  const colour = { scale: "colour", field: "series" } as const
  // Of shapes with the same area, those with corners look smaller.
  const sizes = chart.series.map((_, s) => (seriesShape(s) === "circle" ? 64 : 90))
  const every = chart.series.map((_, s) => s)
  return {
    ...inner,
    padding,
    autosize: "none",
    data: [
      { name: "points", values: single },
      { name: "lines", values: points.filter(({ series }) => chart.series[series].joined) },
      { name: "levels", values: levels },
      { name: "labels", values: placed },
    ],
    scales: [
      { name: "x", type: xs.type, domain: [...xs.domain], range: "width", zero: false },
      { name: "y", type: ys.type, domain: [...ys.domain], range: "height", zero: false },
      { name: "colour", type: "ordinal", domain: every, range: every.map(seriesColour) },
      { name: "size", type: "ordinal", domain: every, range: sizes },
      { name: "shape", type: "ordinal", domain: every, range: every.map(seriesShape) },
    ],
    signals: [{ name: "labels", value: labels }],
    axes: [
      {
        orient: "bottom",
        scale: "x",
        title: chart.x.title,
        values: [...xs.ticks],
        grid: true,
        labelOverlap: true,
        encode: { labels: { update: { text: { signal: "labels.x[datum.value]" } } } },
      },
      {
        orient: "left",
        scale: "y",
        title: chart.y.title,
        values: [...ys.ticks],
        grid: true,
        domain: false,
        ticks: false,
        encode: { labels: { update: { text: { signal: "labels.y[datum.value]" } } } },
      },
    ],
    marks: [
      {
        type: "rule",
        from: { data: "levels" },
        encode: {
          update: {
            x: { value: 0 },
            x2: { signal: "width" },
            y: position.y,
            stroke: { value: "var(--soft)" },
            strokeDash: { value: [5, 4] },
          },
        },
      },
      {
        type: "group",
        from: { facet: { name: "line", data: "lines", groupby: "series" } },
        marks: [
          {
            type: "line",
            from: { data: "line" },
            encode: {
              update: {
                ...position,
                stroke: colour,
                strokeWidth: { value: 2 },
                strokeOpacity: { value: 0.75 },
                strokeJoin: { value: "round" },
              },
            },
          },
        ],
      },
      {
        type: "symbol",
        from: { data: "points" },
        encode: {
          update: {
            ...position,
            shape: { scale: "shape", field: "series" },
            size: { scale: "size", field: "series" },
            fill: colour,
            stroke: { value: "var(--card)" },
            strokeWidth: { value: 1 },
          },
        },
      },
      {
        type: "text",
        from: { data: "labels" },
        encode: {
          update: {
            x: { field: "x" },
            y: { field: "y" },
            align: { field: "align" },
            baseline: { value: "middle" },
            fontSize: { value: 11.5 },
            fill: { value: "var(--ink)" },
            text: { field: "text" },
          },
        },
      },
    ],
  }
}
