/**
 * What joining two neighbouring tokens gives: the token number and its score, or `undefined` where the
 * pair is no token.
 */
export type MergeRule = (
  left: number,
  right: number,
) => { readonly token: number; readonly score: number } | undefined

/** A binary heap of merge candidates: best score first, then leftmost. */
class Candidates {
  readonly #scores: Array<number> = []
  readonly #places: Array<number> = []
  readonly #lefts: Array<number> = []
  readonly #rights: Array<number> = []
  readonly #tokens: Array<number> = []
  readonly #heap: Array<number> = []

  #before(a: number, b: number): boolean {
    const difference = this.#scores[a] - this.#scores[b]
    return difference > 0 || (difference === 0 && this.#places[a] < this.#places[b])
  }

  push(score: number, place: number, left: number, right: number, token: number): void {
    const candidate = this.#scores.length
    this.#scores.push(score)
    this.#places.push(place)
    this.#lefts.push(left)
    this.#rights.push(right)
    this.#tokens.push(token)
    const heap = this.#heap
    let hole = heap.push(candidate) - 1
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      if (!this.#before(candidate, heap[parent])) break
      heap[hole] = heap[parent]
      hole = parent
    }
    heap[hole] = candidate
  }

  pop() {
    const heap = this.#heap
    const best = heap[0]
    const last = heap.pop()
    if (last === undefined) return undefined
    if (heap.length > 0) {
      let hole = 0
      for (;;) {
        let child = 2 * hole + 1
        if (child >= heap.length) break
        if (child + 1 < heap.length && this.#before(heap[child + 1], heap[child])) child++
        if (!this.#before(heap[child], last)) break
        heap[hole] = heap[child]
        hole = child
      }
      heap[hole] = last
    }
    return {
      place: this.#places[best],
      left: this.#lefts[best],
      right: this.#rights[best],
      token: this.#tokens[best],
    }
  }
}

/**
 * Byte-pair merging by score: joins the neighbouring pair with the best score, the leftmost of equals,
 * until no pair is a token. O(n log n): the tokens are a linked list, the candidates a heap whose stale
 * entries are recognised by the tokens that they speak of.
 *
 * Source: `encode` of karpathy/llama2.c, which searches the whole sequence for every merge.
 */
export const mergePairs = (tokens: Int32Array, rule: MergeRule): Int32Array => {
  const length = tokens.length
  const current = Int32Array.from(tokens)
  const previous = Int32Array.from({ length }, (_, i) => i - 1)
  const next = Int32Array.from({ length }, (_, i) => (i + 1 < length ? i + 1 : -1))
  const candidates = new Candidates()
  const consider = (place: number) => {
    if (place < 0 || next[place] < 0) return
    const left = current[place]
    const right = current[next[place]]
    const merged = rule(left, right)
    if (merged !== undefined) candidates.push(merged.score, place, left, right, merged.token)
  }
  for (let i = 0; i + 1 < length; i++) consider(i)
  let remaining = length
  for (let best = candidates.pop(); best !== undefined; best = candidates.pop()) {
    const { place, left, right, token } = best
    const after = next[place]
    if (current[place] !== left || after < 0 || current[after] !== right) continue
    current[place] = token
    current[after] = -1
    next[place] = next[after]
    if (next[place] >= 0) previous[next[place]] = place
    remaining--
    consider(previous[place])
    consider(place)
  }
  const merged = new Int32Array(remaining)
  for (let i = 0, at = 0; i >= 0 && at < remaining; i = next[i]) merged[at++] = current[i]
  return merged
}
