import * as dagre from "@dagrejs/dagre"
import { shorten } from "../format.ts"
import { type Html, html, noHtml } from "../html.ts"
import type { GraphBox, StepGraph } from "../step_graph.ts"
import { statusClass } from "../status.ts"

const boxHeight = 46
const longest = 30

const widthOf = ({ label, use }: GraphBox): number =>
  36 + Math.max(shorten(label, longest).length * 7.3, shorten(use, longest).length * 6.4)

const round = (value: number) => Math.round(value * 10) / 10

interface Point {
  readonly x: number
  readonly y: number
}

/** A curve that leaves and arrives level. */
const curve = (points: ReadonlyArray<Point>): string => {
  const [first, ...rest] = points
  let path = `M${round(first.x)} ${round(first.y)}`
  let last = first
  for (const { x, y } of rest) {
    const middle = round((last.x + x) / 2)
    path += `C${middle} ${round(last.y)} ${middle} ${round(y)} ${round(x)} ${round(y)}`
    last = { x, y }
  }
  return path
}

const drawBox = (box: GraphBox, { x, y }: Point, width: number): Html => {
  const left = round(x - width / 2)
  const top = round(y - boxHeight / 2)
  return html`<g class="box ${statusClass(box.status)}"
    ><title>${box.steps.join("\n")}</title
    ><rect x="${left}" y="${top}" width="${round(width)}" height="${boxHeight}" rx="7" /><circle
      cx="${left + 14}"
      cy="${top + 16}"
      r="4.5"
    /><text x="${left + 25}" y="${top + 20}">${shorten(box.label, longest)}</text
    ><text class="use" x="${left + 25}" y="${top + 36}">${shorten(box.use, longest)}</text></g
  >`
}

/** Draws the steps in layers from left to right, each right of what it needs. */
export const drawGraph = (graph: StepGraph, id: string): Html => {
  const layout = new dagre.graphlib.Graph()
  layout.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 44, marginx: 6, marginy: 6 })
  layout.setDefaultEdgeLabel(() => ({}))
  for (const [i, box] of graph.boxes.entries()) {
    layout.setNode(String(i), { width: widthOf(box), height: boxHeight })
  }
  for (const [from, to] of graph.arrows) layout.setEdge(String(from), String(to))
  dagre.layout(layout)
  const { width = 0, height = 0 } = layout.graph()
  const boxes = graph.boxes.map((box, i) => {
    const { x, y, width } = layout.node(String(i))
    return drawBox(box, { x, y }, width)
  })
  const arrows = graph.arrows.map(([from, to]) => {
    const { points } = layout.edge(String(from), String(to))
    const [start, end] = [layout.node(String(from)), layout.node(String(to))]
    const whole = [
      { x: start.x + start.width / 2, y: start.y },
      ...points.slice(1, -1),
      { x: end.x - end.width / 2 - 1, y: end.y },
    ]
    return html`<path d="${curve(whole)}" marker-end="url(#${id}-arrow)" />`
  })
  if (boxes.length === 0) return noHtml
  const label = `The pipeline's graph: ${graph.boxes.length} boxes, ${graph.arrows.length} arrows.`
  return html`<svg
    class="graph"
    role="img"
    aria-label="${label}"
    viewBox="0 0 ${round(width)} ${round(height)}"
    style="max-width:${round(width)}px;min-width:${round(Math.min(width, Math.max(320, width * 0.7)))}px"
  >
    <defs>
      <marker
        id="${id}-arrow"
        viewBox="0 0 8 8"
        refX="7"
        refY="4"
        markerWidth="7"
        markerHeight="7"
        orient="auto"
      >
        <path class="head" d="M0 0.5L7.5 4L0 7.5z" />
      </marker>
    </defs>
    <g class="arrows">${arrows}</g>
    ${boxes}
  </svg>`
}
