import type { Rows } from "./matrix.ts"

/** True at the places of the `count` smallest scores, the first of equals first. */
export const smallest = (scores: ReadonlyArray<number>, count: number): ReadonlyArray<boolean> => {
  const order = scores.map((_, i) => i).sort((a, b) => scores[a] - scores[b] || a - b)
  const chosen = new Set(order.slice(0, count))
  return scores.map((_, i) => chosen.has(i))
}

/** All but the `keep` largest of every `of` scores of a row that follow each other. */
export const smallestOfGroups = (
  scores: ReadonlyArray<number>,
  keep: number,
  of: number,
): ReadonlyArray<boolean> =>
  Array.from({ length: scores.length / of }, (_, group) =>
    smallest(scores.slice(group * of, (group + 1) * of), of - keep),
  ).flat()

/** The weights with zeros where `removed` says so. */
export const remove = (
  weight: Rows,
  removed: ReadonlyArray<ReadonlyArray<boolean>>,
): Array<Array<number>> => weight.map((row, i) => row.map((w, j) => (removed[i][j] ? 0 : w)))
