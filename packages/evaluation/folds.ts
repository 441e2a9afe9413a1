import { shuffled } from "./random_numbers.ts"

/** What {@link stratifiedGroupFolds} is told of an item. */
export interface FoldItem {
  readonly label: string
  /** Items of one group are in one fold; an item without one is alone. */
  readonly group?: string | number
}

/**
 * The fold of each item, from 0: every group whole in one fold, and labels in each fold as often as
 * in all, as far as groups let it. Larger groups are placed first, each where the labels' numbers
 * then differ least; the seed decides between equals.
 *
 * @throws RangeError where `count` is less than 2 or there are fewer groups than folds.
 *
 * @example
 * ```ts
 * import { stratifiedGroupFolds } from "@espalier/evaluation"
 * const items = ["a", "b", "a", "b"].map((label) => ({ label }))
 * const folds = stratifiedGroupFolds(items, 2, 0)
 * console.log(folds[0] !== folds[2], folds[1] !== folds[3]) // true true
 * ```
 */
export const stratifiedGroupFolds = (
  items: ReadonlyArray<FoldItem>,
  count: number,
  seed = 0,
): ReadonlyArray<number> => {
  const groups = new Map<string, Array<number>>()
  for (const [i, { group }] of items.entries()) {
    const key = group === undefined ? `alone ${i}` : `group ${group}`
    groups.set(key, [...(groups.get(key) ?? []), i])
  }
  if (!Number.isInteger(count) || count < 2 || groups.size < count) {
    throw new RangeError(`cannot part ${groups.size} groups into ${count} folds`)
  }
  const labels = [...new Set(items.map(({ label }) => label))].sort()
  const totals = new Map(labels.map((label) => [label, 0]))
  for (const { label } of items) totals.set(label, totals.get(label)! + 1)
  const held = Array.from({ length: count }, () => new Map(labels.map((label) => [label, 0])))
  const sizes = Array.from({ length: count }, () => 0)
  const folds = items.map(() => 0)
  const order = shuffled([...groups.values()], seed).toSorted((a, b) => b.length - a.length)
  for (const group of order) {
    // Labels that are rare weigh as much as those that are not.
    const fill = (fold: number) =>
      group.reduce(
        (sum, i) => sum + held[fold].get(items[i].label)! / totals.get(items[i].label)!,
        0,
      )
    const best = sizes
      .map((size, fold) => ({ fold, size, fill: fill(fold) }))
      .reduce((a, b) => (b.fill < a.fill || (b.fill === a.fill && b.size < a.size) ? b : a)).fold
    for (const i of group) {
      folds[i] = best
      held[best].set(items[i].label, held[best].get(items[i].label)! + 1)
    }
    sizes[best] += group.length
  }
  return folds
}
