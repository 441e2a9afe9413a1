import { clampCode, roundToEven } from "../rounding.ts"
import type { Scheme } from "../scheme.ts"
import { levelsOf } from "../scheme.ts"

/** Scale and zero point of one group: a weight w is stored as round(w / scale) + zero. */
export interface GroupGrid {
  readonly scale: number
  readonly zero: number
}

/** How a group is stored; its width is that of the weights that are given. */
export type GroupScheme = Pick<Scheme, "bits" | "symmetric">

/**
 * The grid over the range of a group with 0 in it. Scales are numbers of `f32`, as they are stored, so
 * that ties fall as they do everywhere.
 */
export const gridOf = (
  group: ReadonlyArray<number>,
  { bits, symmetric }: GroupScheme,
): GroupGrid => {
  const levels = levelsOf({ bits })
  const [low, high] = [Math.min(0, ...group), Math.max(0, ...group)]
  if (low === high) return { scale: 1, zero: symmetric ? 2 ** (bits - 1) : 0 }
  if (symmetric) {
    // From −max |w| to max |w|.
    return { scale: Math.fround((2 * Math.max(-low, high)) / levels), zero: 2 ** (bits - 1) }
  }
  // s = (max − min) / (2^b − 1), z = round(−min / s)
  const scale = Math.fround((high - low) / levels)
  return { scale, zero: clampCode(roundToEven(Math.fround(-low / scale)), levels) }
}

/** clamp(round(w / s) + z, 0, 2^b − 1) */
export const codeOf = (weight: number, { scale, zero }: GroupGrid, bits: Scheme["bits"]): number =>
  clampCode(roundToEven(Math.fround(weight / scale)) + zero, levelsOf({ bits }))

/** s · (code − z) */
export const nearestOf = (weight: number, grid: GroupGrid, bits: Scheme["bits"]): number =>
  grid.scale * (codeOf(weight, grid, bits) - grid.zero)

/** Consecutive groups of a row. */
export const groupsOf = <A>(
  row: ReadonlyArray<A>,
  width: number,
): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: row.length / width }, (_, g) => row.slice(g * width, (g + 1) * width))
