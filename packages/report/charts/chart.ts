/** A point of a series. */
export interface ChartPoint {
  readonly x: number
  readonly y: number
  /** Written beside it. */
  readonly label?: string
  /** Written in place of the labels where there is no room for all of them. */
  readonly short?: string
}

export interface ChartAxis {
  readonly title: string
  readonly format: (value: number) => string
}

/** Points, joined to lines where `joined`, on linear or logarithmic axes. */
export interface PointChart {
  readonly kind: "points"
  readonly title: string
  readonly x: ChartAxis
  readonly y: ChartAxis
  readonly series: ReadonlyArray<{
    readonly name: string
    readonly joined: boolean
    readonly points: ReadonlyArray<ChartPoint>
  }>
  /** Levels to compare with. */
  readonly levels: ReadonlyArray<{ readonly name: string; readonly y: number }>
}

/** Bars that lie, the longest first. */
export interface BarChart {
  readonly kind: "bars"
  readonly title: string
  readonly bars: ReadonlyArray<{
    readonly name: string
    readonly value: number
    /** The value with its unit. */
    readonly text: string
    /** Index of its colour. */
    readonly series: number
  }>
  /** What the colours stand for, where there are several. */
  readonly series: ReadonlyArray<string>
}

/** Cells coloured by value, on a logarithmic scale. */
export interface HeatChart {
  readonly kind: "heat"
  readonly title: string
  readonly rows: ReadonlyArray<string>
  readonly columns: ReadonlyArray<string>
  /** By row, then by column. */
  readonly cells: ReadonlyArray<ReadonlyArray<number | undefined>>
}

/** What can be drawn. */
export type Chart = PointChart | BarChart | HeatChart

/** Colours of series are the variables `--series-0` and on. */
export const seriesColours = 8

export const seriesColour = (i: number): string => `var(--series-${i % seriesColours})`

/** Shapes tell series apart as well: colours alone do not, for everybody. */
export const seriesShapes = [
  "circle",
  "square",
  "triangle-up",
  "diamond",
  "triangle-down",
  "cross",
  "triangle-right",
  "triangle-left",
] as const

/** Beyond the last colour, colours begin anew with other shapes. */
export const seriesShape = (i: number): (typeof seriesShapes)[number] =>
  seriesShapes[(i + Math.floor(i / seriesColours)) % seriesShapes.length]
