/**
 * The Damerau–Levenshtein distance: the least number of insertions, deletions, substitutions and
 * transpositions of neighbours that turns one text into the other, with further edits allowed
 * between transposed letters, which makes it a metric (Damerau 1964; Lowrance and Wagner 1975).
 *
 * @example
 * ```ts
 * import { editDistance } from "@espalier/pipeline"
 *
 * editDistance("sparsity", "sparisty") // 1
 * ```
 */
export const editDistance = (left: string, right: string): number => {
  const a = Array.from(left)
  const b = Array.from(right)
  const far = a.length + b.length
  const width = b.length + 2
  const table = new Array<number>((a.length + 2) * width).fill(0)
  table[0] = far
  for (let i = 0; i <= a.length; i++) {
    table[(i + 1) * width] = far
    table[(i + 1) * width + 1] = i
  }
  for (let j = 0; j <= b.length; j++) {
    table[j + 1] = far
    table[width + j + 1] = j
  }
  const lastRowOf = new Map<string, number>()
  for (let i = 1; i <= a.length; i++) {
    let lastMatch = 0
    for (let j = 1; j <= b.length; j++) {
      const row = lastRowOf.get(b[j - 1]) ?? 0
      const column = lastMatch
      const same = a[i - 1] === b[j - 1]
      if (same) lastMatch = j
      table[(i + 1) * width + j + 1] = Math.min(
        table[i * width + j] + (same ? 0 : 1),
        table[(i + 1) * width + j] + 1,
        table[i * width + j + 1] + 1,
        table[row * width + column] + (i - row - 1) + 1 + (j - column - 1),
      )
    }
    lastRowOf.set(a[i - 1], i)
  }
  return table[(a.length + 1) * width + b.length + 1]
}

/**
 * The candidate that somebody who wrote `word` most likely meant: the nearest by
 * {@link editDistance}, letter case aside, if at most a third of its letters differ (one letter is
 * always forgiven). Ties go to the earlier candidate.
 *
 * @example
 * ```ts
 * import { didYouMean } from "@espalier/pipeline"
 *
 * didYouMean("sparcity", ["sparsity", "samples"]) // "sparsity"
 * didYouMean("colour", ["sparsity", "samples"]) // undefined
 * ```
 */
export const didYouMean = (word: string, candidates: Iterable<string>): string | undefined => {
  let best: string | undefined
  let least = Infinity
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    const allowed = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3))
    if (distance <= allowed && distance < least && distance < candidate.length) {
      best = candidate
      least = distance
    }
  }
  return best
}

/**
 * The usual hint after an unknown word: the likely one, if any, and all that there are.
 *
 * @example
 * ```ts
 * import { suggest } from "@espalier/pipeline"
 *
 * suggest("sparcity", ["sparsity", "window"], "keys")
 * // 'did you mean "sparsity"? The keys are: sparsity, window'
 * ```
 */
export const suggest = (word: string, known: ReadonlyArray<string>, kind: string): string => {
  const likely = didYouMean(word, known)
  const all = known.length === 0 ? `there are no ${kind}` : `the ${kind} are: ${known.join(", ")}`
  return likely === undefined
    ? all
    : `did you mean "${likely}"? ${all[0].toUpperCase()}${all.slice(1)}`
}
