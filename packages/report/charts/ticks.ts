/** Where the values of an axis begin and end, how they are spread, and where its lines are. */
export interface AxisScale {
  readonly type: "linear" | "log"
  readonly domain: readonly [number, number]
  readonly ticks: ReadonlyArray<number>
}

const extent = (values: ReadonlyArray<number>): readonly [number, number] => [
  values.reduce((a, b) => Math.min(a, b), Infinity),
  values.reduce((a, b) => Math.max(a, b), -Infinity),
]

/** The powers of ten between, with 2 and 5 of each where there is room. */
const logTicks = (low: number, high: number, most: number): ReadonlyArray<number> => {
  for (const steps of [[1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
    const ticks: Array<number> = []
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const step of steps) {
        const tick = Number(`${step}e${power}`)
        if (tick >= low && tick <= high) ticks.push(tick)
      }
    }
    if (ticks.length <= most) return ticks
  }
  // Dozens of decades: every so many of them.
  const first = Math.ceil(Math.log10(low))
  const last = Math.floor(Math.log10(high))
  const stride = Math.ceil((last - first + 1) / most)
  return Array.from({ length: Math.floor((last - first) / stride) + 1 }, (_, i) =>
    Number(`1e${first + i * stride}`),
  )
}

/** Round values at equal distances, about as many as wanted. */
const linearTicks = (low: number, high: number, most: number): ReadonlyArray<number> => {
  const rough = (high - low) / most
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  )
}

/** Beyond these sizes, products and quotients of values are no numbers any more. */
const drawable = (value: number): number =>
  Math.abs(value) < 1e-200 ? 0 : Math.max(-1e200, Math.min(1e200, value))

/**
 * The scale for values: logarithmic where positive values span more than a decade and `log` allows it,
 * with some room at both ends.
 */
export const axisScale = (values: ReadonlyArray<number>, most: number, log: boolean): AxisScale => {
  const [low, high] = extent(values.map(drawable))
  const decades = low > 0 ? Math.log10(high) - Math.log10(low) : 0
  if (log && decades > 1) {
    const room = 10 ** (decades * 0.06)
    const domain = [low / room, high * room] as const
    return { type: "log", domain, ticks: logTicks(...domain, most) }
  }
  const size = Math.max(Math.abs(low), Math.abs(high))
  // Ticks are written with four digits: closer ones would look the same.
  const room = high > low ? Math.max((high - low) * 0.06, size * 0.004) : size * 0.1 || 1
  // Shares and counts do not go below nothing.
  const domain = [low >= 0 ? Math.max(0, low - room) : low - room, high + room] as const
  return { type: "linear", domain, ticks: linearTicks(...domain, most) }
}

/** Where a value lies between the ends of an axis, from 0 to 1. */
export const positionOn = ({ type, domain: [low, high] }: AxisScale, value: number): number =>
  type === "log" ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low)
