import type { Claim } from "./item.ts"
import { wordsOf } from "./words.ts"

/** When two items are too alike to be on both sides of a split. */
export interface DuplicateOptions {
  /** Jaccard similarity of the claims' word pairs from which they are the same claim; 0.5. */
  readonly claims?: number
  /** The same of the contexts' runs of five words; 0.3. */
  readonly contexts?: number
}

const shinglesOf = (text: string, length: number): ReadonlySet<string> => {
  const words = wordsOf(text).map(({ lower }) => lower)
  if (words.length < length) return new Set(words.length === 0 ? [] : [words.join(" ")])
  return new Set(words.slice(length - 1).map((_, i) => words.slice(i, i + length).join(" ")))
}

/** Pairs of sets that share so much, found by their shared shingles. */
const alikePairs = (sets: ReadonlyArray<ReadonlySet<string>>, least: number) => {
  const holders = new Map<string, Array<number>>()
  for (const [i, set] of sets.entries()) {
    for (const shingle of set) {
      const known = holders.get(shingle)
      if (known === undefined) holders.set(shingle, [i])
      else known.push(i)
    }
  }
  const shared = new Map<number, number>()
  for (const places of holders.values()) {
    for (const [n, j] of places.entries()) {
      for (const i of places.slice(0, n)) {
        const pair = i * sets.length + j
        shared.set(pair, (shared.get(pair) ?? 0) + 1)
      }
    }
  }
  return [...shared].flatMap(([pair, count]) => {
    const [i, j] = [Math.floor(pair / sets.length), pair % sets.length]
    const union = sets[i].size + sets[j].size - count
    return count / union >= least ? [[i, j] as const] : []
  })
}

/** The group of each item, and how many pairs put items together. */
export interface DuplicateGroups {
  /** The place of the first item of the group. */
  readonly groups: ReadonlyArray<number>
  readonly pairs: number
  /** Items that are not alone. */
  readonly items: number
}

/**
 * Groups items whose claims or contexts are nearly the same, so that folds can keep each group
 * together: what a model has learnt of one would answer for the other. Alike is whoever shares enough
 * shingles (Broder 1997), and whoever is alike with one of the group.
 *
 * @example
 * ```ts
 * import { groupNearDuplicates } from "@espalier/misinformation"
 * const { groups } = groupNearDuplicates([
 *   { claim: "Did the senator say taxes will rise?", context: "He said no such thing." },
 *   { claim: "The moon is made of green cheese.", context: "It is made of rock." },
 *   { claim: "Did the Senator say that taxes will rise?", context: "There is no record." },
 * ])
 * console.log(groups) // [ 0, 1, 0 ]
 * ```
 */
export const groupNearDuplicates = (
  items: ReadonlyArray<Claim>,
  { claims = 0.5, contexts = 0.3 }: DuplicateOptions = {},
): DuplicateGroups => {
  const pairs = [
    ...alikePairs(
      items.map(({ claim }) => shinglesOf(claim, 2)),
      claims,
    ),
    ...alikePairs(
      items.map(({ context }) => shinglesOf(context, 5)),
      contexts,
    ),
  ]
  const parents = items.map((_, i) => i)
  const rootOf = (i: number): number => (parents[i] === i ? i : rootOf(parents[i]))
  for (const [i, j] of pairs) {
    const [a, b] = [rootOf(i), rootOf(j)]
    parents[Math.max(a, b)] = Math.min(a, b)
  }
  return {
    groups: parents.map((_, i) => rootOf(i)),
    pairs: new Set(pairs.map(([i, j]) => `${i} ${j}`)).size,
    items: new Set(pairs.flat()).size,
  }
}
