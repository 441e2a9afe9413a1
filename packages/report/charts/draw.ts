import * as vega from "vega"
import { drawBars } from "./bars.ts"
import type { Chart } from "./chart.ts"
import { drawHeat } from "./heat.ts"
import { drawPoints } from "./points.ts"

const specification = (chart: Chart, width: number): vega.Spec => {
  switch (chart.kind) {
    case "points":
      return drawPoints(chart, width)
    case "bars":
      return drawBars(chart, width)
    case "heat":
      return drawHeat(chart, width)
  }
}

/** Colours are the page's, so that they follow its light and dark scheme. */
const config: vega.Config = {
  background: "none",
  axis: {
    domainColor: "var(--rule)",
    tickColor: "var(--rule)",
    gridColor: "var(--grid)",
    labelColor: "var(--soft)",
    titleColor: "var(--ink)",
    labelFontSize: 12,
    titleFontSize: 12.5,
    titleFontWeight: "normal",
    labelPadding: 6,
    titlePadding: 10,
  },
}

/** Vega's writer of SVG, which its types leave out. `View.toSVG` is the same with a promise around it. */
interface SvgWriter {
  initialize(element: undefined, width: number, height: number, origin: [number, number]): SvgWriter
  render(scene: unknown): SvgWriter
  svg(): string
}
const { SVGStringRenderer } = vega as unknown as { readonly SVGStringRenderer: new () => SvgWriter }

const fail = (...words: ReadonlyArray<unknown>): never => {
  throw words.find((word) => word instanceof Error) ?? new Error(words.map(String).join(" "))
}

/** Vega writes to the console what goes wrong, and goes on with half a chart. */
const throwing: vega.LoggerInterface = {
  level: () => vega.Warn,
  error: fail,
  warn: fail,
  info: () => throwing,
  debug: () => throwing,
}

const margins = (view: vega.View): Partial<Record<"left" | "right" | "top" | "bottom", number>> => {
  const padding = view.padding()
  return typeof padding === "object" && !("signal" in padding) ? padding : {}
}

/** Draws a chart of that width in pixels as SVG. */
export const drawChart = (chart: Chart, width: number): string => {
  const runtime = vega.parse(specification(chart, width), config)
  const view = new vega.View(runtime, { renderer: "none", logger: throwing })
  // Nothing is loaded, so nothing has to be waited for.
  view.run()
  const { root } = view.scenegraph() as unknown as { readonly root: unknown }
  vega.resetSVGDefIds()
  const { left = 0, right = 0, top = 0, bottom = 0 } = margins(view)
  const svg = new SVGStringRenderer()
    .initialize(undefined, view.width() + left + right, view.height() + top + bottom, [left, top])
    .render(root)
    .svg()
  view.finalize()
  return svg
}
