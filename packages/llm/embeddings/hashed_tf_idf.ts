/** Options of {@link makeHashedTfIdf}. */
export interface HashedTfIdfOptions {
  /** Length of the vectors; 1,024 by default. */
  readonly dimensions?: number
  /** Which sequences of words count: 1 and 2 by default, single words and pairs. */
  readonly wordOrders?: ReadonlyArray<number>
  /** Which sequences of characters count, within words: 3, 4 and 5 by default. */
  readonly characterOrders?: ReadonlyArray<number>
}

/** Turns texts into vectors by the words and letters they are made of. */
export interface HashedTfIdf {
  readonly dimensions: number
  /** The vector of a text, of length 1 (Euclidean); zeros for a text without words. */
  readonly embed: (text: string) => Float64Array
  /** The same with weights fitted to texts: what stands in many of them counts less. */
  readonly fit: (texts: Iterable<string>) => HashedTfIdf
}

/** FNV-1a over UTF-16 code units, mixed at the end (murmur3's finaliser) so that all bits may be used. */
const hash = (text: string): number => {
  let bits = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    bits = Math.imul(bits ^ text.charCodeAt(index), 0x01000193)
  }
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

const words = (text: string): ReadonlyArray<string> =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu) ?? []

/** The terms of a text: sequences of words, and sequences of letters of each word between its borders. */
const termsOf = function* (
  text: string,
  wordOrders: ReadonlyArray<number>,
  characterOrders: ReadonlyArray<number>,
): Generator<string> {
  const found = words(text)
  for (const order of wordOrders) {
    for (let start = 0; start + order <= found.length; start++) {
      yield `w ${found.slice(start, start + order).join(" ")}`
    }
  }
  for (const word of found) {
    const letters = Array.from(` ${word} `)
    for (const order of characterOrders) {
      for (let start = 0; start + order <= letters.length; start++) {
        yield `c ${letters.slice(start, start + order).join("")}`
      }
    }
  }
}

/**
 * Embeddings of texts without a model: term frequencies of word and letter n-grams, hashed with a sign
 * into vectors of fixed length, weighted by inverse document frequencies where they are fitted, of
 * length 1. Terms that fall together have random signs, so that they do not add up (Weinberger et al.,
 * "Feature Hashing for Large Scale Multitask Learning", ICML 2009). A term that occurs n times counts
 * 1 + ln n; the idf of a term in d of N texts is 1 + ln((1 + N) / (1 + d)), d counted per cell.
 *
 * @throws RangeError where `dimensions` is not a positive whole number.
 *
 * @example
 * ```ts
 * import { cosineSimilarity, makeHashedTfIdf } from "@espalier/llm"
 *
 * const { embed } = makeHashedTfIdf()
 * const near = cosineSimilarity(embed("prices are rising"), embed("the price rises"))
 * const far = cosineSimilarity(embed("prices are rising"), embed("a walk in Glencoe"))
 * console.log(near > far) // true
 * ```
 */
export const makeHashedTfIdf = (options: HashedTfIdfOptions = {}): HashedTfIdf => {
  const { dimensions = 1024, wordOrders = [1, 2], characterOrders = [3, 4, 5] } = options
  if (!Number.isInteger(dimensions) || dimensions < 1) {
    throw new RangeError(`dimensions is ${dimensions}: a positive whole number is needed`)
  }
  /** How often each term occurs. */
  const count = (text: string): ReadonlyMap<string, number> => {
    const counts = new Map<string, number>()
    for (const term of termsOf(text, wordOrders, characterOrders)) {
      counts.set(term, (counts.get(term) ?? 0) + 1)
    }
    return counts
  }
  const cellOf = (bits: number) => (bits >>> 1) % dimensions
  const withWeights = (weights: Float64Array | undefined): HashedTfIdf => ({
    dimensions,
    embed: (text) => {
      const vector = new Float64Array(dimensions)
      for (const [term, times] of count(text)) {
        const bits = hash(term)
        const cell = cellOf(bits)
        const weight = (1 + Math.log(times)) * (weights?.[cell] ?? 1)
        vector[cell] += (bits & 1) === 0 ? weight : -weight
      }
      const length = Math.hypot(...vector)
      return length === 0 ? vector : vector.map((value) => value / length)
    },
    fit: (texts) => {
      const holding = new Float64Array(dimensions)
      let total = 0
      for (const text of texts) {
        total++
        const cells = new Set(Array.from(count(text).keys(), (term) => cellOf(hash(term))))
        for (const cell of cells) holding[cell]++
      }
      return withWeights(holding.map((held) => 1 + Math.log((1 + total) / (1 + held))))
    },
  })
  return withWeights(undefined)
}

/**
 * The cosine of the angle between two vectors, in [-1, 1]; 0 where one of them is zero.
 *
 * @example
 * ```ts
 * import { cosineSimilarity } from "@espalier/llm"
 *
 * console.log(cosineSimilarity([1, 0], [3, 4])) // 0.6
 * ```
 */
export const cosineSimilarity = (left: ArrayLike<number>, right: ArrayLike<number>): number => {
  let [product, ofLeft, ofRight] = [0, 0, 0]
  for (let index = 0; index < left.length; index++) {
    product += left[index] * right[index]
    ofLeft += left[index] ** 2
    ofRight += right[index] ** 2
  }
  return ofLeft === 0 || ofRight === 0 ? 0 : product / Math.sqrt(ofLeft * ofRight)
}
