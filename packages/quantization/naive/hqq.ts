import { clampCode, roundToEven } from "../rounding.ts"
import type { Scheme } from "../scheme.ts"
import { groupWidth, levelsOf } from "../scheme.ts"
import type { GroupGrid } from "./grid.ts"
import { gridOf, groupsOf, nearestOf } from "./grid.ts"
import type { Mutable, Rows } from "./matrix.ts"

/** Options of the plain HQQ. */
export interface HqqOptions {
  /** p; 0.7. */
  readonly norm?: number
  /** β at first; 10. */
  readonly penalty?: number
  /** κ; 1.01. */
  readonly growth?: number
  /** 20. */
  readonly iterations?: number
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0)

/** shrink(x) = sign(x) · relu(|x| − |x|^(p − 1) / β) */
const shrink = (x: number, norm: number, beta: number): number =>
  Math.sign(x) * Math.max(0, Math.abs(x) - Math.abs(x) ** (norm - 1) / beta)

const improve = (
  group: ReadonlyArray<number>,
  { bits, symmetric }: Scheme,
  { norm = 0.7, penalty = 10, growth = 1.01, iterations = 20 }: HqqOptions,
): GroupGrid => {
  const levels = levelsOf({ bits })
  const lossOf = (grid: GroupGrid) =>
    sum(group.map((w) => Math.abs(Math.fround(nearestOf(w, grid, bits)) - w) ** norm))
  let best = gridOf(group, { bits, symmetric })
  let { scale: s, zero: z } = best
  for (let beta = penalty, t = 0; t < iterations; t++, beta *= growth) {
    // Everything in steps of the grid: x = W / s, Q = clamp(round(x + z)).
    const x = group.map((w) => w / s)
    const steps = x.map((place) => clampCode(roundToEven(place + z), levels) - z)
    // W_e ← shrink(W − Ŵ)
    const e = x.map((place, i) => shrink(place - steps[i], norm, beta))
    // z ← mean(Q − (W − W_e) / s)
    const next = sum(steps.map((step, i) => step + z - (x[i] - e[i]))) / x.length
    // s ← argmin ‖W − W_e − s (Q − z)‖²
    const products = sum(steps.map((step, i) => (x[i] - e[i]) * step))
    const squares = sum(steps.map((step) => step ** 2))
    if (squares > 0 && products > 0) s *= products / squares
    if (!symmetric) z = next
    const rounded = { scale: Math.fround(s), zero: clampCode(roundToEven(z), levels) }
    if (lossOf(rounded) < lossOf(best)) best = rounded
  }
  return best
}

/**
 * Rounds to grids that minimise Σ |ŵ − w|^p of each group, with whole zero points.
 *
 * Source: Badri & Shaji 2023, "Half-quadratic quantization of large machine learning models"; the
 * scale is fitted as well, which is ours.
 */
export const hqq = (weight: Rows, scheme: Scheme, options: HqqOptions = {}): Mutable =>
  weight.map((row) =>
    groupsOf(row, groupWidth(scheme, row.length)).flatMap((group) => {
      const grid = improve(group, scheme, options)
      return group.map((w) => nearestOf(w, grid, scheme.bits))
    }),
  )
