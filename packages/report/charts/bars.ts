import type * as vega from "vega"
import { shorten } from "../format.ts"
import { type BarChart, seriesColour } from "./chart.ts"

/** Bars that lie. On a narrow page names stand above the bars. */
export const drawBars = (chart: BarChart, width: number): vega.Spec => {
  const narrow = width < 500
  const names = chart.bars.map(({ name }) => shorten(name, narrow ? 46 : 34))
  const longest = Math.max(...names.map((name) => name.length))
  const texts = Math.max(...chart.bars.map(({ text }) => text.length))
  const padding = {
    left: narrow ? 4 : 14 + longest * 6.9,
    right: 12 + texts * 7,
    top: 4,
    bottom: 4,
  }
  const pitch = narrow ? 40 : 27
  const bars = chart.bars.map(({ value, text, series }, i) => ({
    row: i,
    name: names[i],
    value,
    text,
    colour: seriesColour(series),
  }))
  const thick = narrow ? 15 : 17
  const middle = narrow ? 29 : pitch / 2
  const inner = width - padding.left - padding.right
  return {
    width: inner,
    height: pitch * bars.length,
    padding,
    autosize: "none",
    data: [{ name: "bars", values: bars }],
    scales: [
      {
        name: "x",
        type: "linear",
        domain: [0, Math.max(...bars.map(({ value }) => value))],
        range: [0, inner],
      },
    ],
    marks: [
      {
        type: "rect",
        from: { data: "bars" },
        encode: {
          update: {
            x: { value: 0 },
            width: { signal: "max(2, scale('x', datum.value))" },
            y: { signal: `datum.row * ${pitch} + ${middle - thick / 2}` },
            height: { value: thick },
            cornerRadius: { value: 2 },
            fill: { field: "colour" },
          },
        },
      },
      {
        type: "text",
        from: { data: "bars" },
        encode: {
          update: {
            x: { signal: "max(2, scale('x', datum.value)) + 7" },
            y: { signal: `datum.row * ${pitch} + ${middle}` },
            baseline: { value: "middle" },
            fontSize: { value: 12 },
            fill: { value: "var(--soft)" },
            text: { field: "text" },
          },
        },
      },
      {
        type: "text",
        from: { data: "bars" },
        encode: {
          update: {
            x: { value: narrow ? 0 : -9 },
            y: { signal: `datum.row * ${pitch} + ${narrow ? 12 : middle}` },
            align: { value: narrow ? "left" : "right" },
            baseline: { value: "middle" },
            fontSize: { value: 12 },
            fill: { value: "var(--ink)" },
            text: { field: "name" },
          },
        },
      },
    ],
  }
}
