import { type Chart, seriesColour, seriesShape } from "./charts/chart.ts"
import { drawChart } from "./charts/draw.ts"
import { heatColours, heatLimits } from "./charts/heat.ts"
import { formatNumber } from "./format.ts"
import { type Html, html, noHtml, trusted } from "./html.ts"

const widths = { wide: 940, narrow: 350 } as const

/** What the legend shows for a shape, in a square of 14 pixels. */
const shapePaths: Readonly<Record<ReturnType<typeof seriesShape>, string>> = {
  circle: "M7 3a4 4 0 1 0 .01 0z",
  square: "M3.5 3.5h7v7h-7z",
  "triangle-up": "M7 3l4.2 8H2.8z",
  diamond: "M7 2l4.5 5L7 12 2.5 7z",
  "triangle-down": "M7 11l4.2-8H2.8z",
  cross: "M5.5 2.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
  "triangle-right": "M11 7L3 11.2V2.8z",
  "triangle-left": "M3 7l8 4.2V2.8z",
}

const swatch = (i: number, path: string): Html =>
  html`<svg viewBox="0 0 14 14" aria-hidden="true">
    <path d="${path}" style="fill:${seriesColour(i)}" />
  </svg>`

const legendOf = (chart: Chart): Html => {
  if (chart.kind === "heat") {
    const limits = heatLimits(chart)
    const colours = Array.from(
      { length: heatColours },
      (_, i) => html`<i style="background:var(--heat-${i})"></i>`,
    )
    return html`<p class="legend ramp">
      <span>${formatNumber(limits[0])}</span>${colours}<span
        >${formatNumber(limits[heatColours])}</span
      >
    </p>`
  }
  const names = chart.kind === "points" ? chart.series.map(({ name }) => name) : chart.series
  if (names.length < 2) return noHtml
  const items = names.map((name, i) => {
    const shape = chart.kind === "points" ? seriesShape(i) : "square"
    return html`<li>${swatch(i, shapePaths[shape])}${name}</li>`
  })
  return html`<ul class="legend">
    ${items}
  </ul>`
}

/** The chart at one width, with the page's own outer element. */
const svgOf = (chart: Chart, size: keyof typeof widths): Html => {
  const drawn = drawChart(chart, widths[size])
  const box = /viewBox="([\d. -]+)"/.exec(drawn)![1]
  const inner = trusted(drawn.slice(drawn.indexOf(">") + 1))
  const label = `${chart.title}. The figures are in a table.`
  return html`<svg class="${size}" role="img" aria-label="${label}" viewBox="${box}">${inner}`
}

/** A chart with title and legend, drawn once for wide and once for narrow pages. */
export const renderFigure = (chart: Chart): Html =>
  html`<figure>
    <figcaption>${chart.title}</figcaption>
    ${legendOf(chart)}${svgOf(chart, "wide")}${svgOf(chart, "narrow")}
  </figure>`
