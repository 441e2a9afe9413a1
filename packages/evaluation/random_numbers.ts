/**
 * A stream of uniform numbers in [0, 1) for a seed: a counter through the mixing function of
 * splitmix32, so that the i-th number depends on nothing but the seed and i.
 *
 * @example
 * ```ts
 * import { uniformNumbers } from "@espalier/evaluation"
 * const next = uniformNumbers(7)
 * console.log(next() === uniformNumbers(7)()) // true
 * ```
 */
export const uniformNumbers = (seed: number): (() => number) => {
  let counter = seed | 0
  return () => {
    counter = (counter + 0x9e3779b9) | 0
    let mixed = counter ^ (counter >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

/** The items in an order that the seed decides (Fisher and Yates). */
export const shuffled = <A>(items: ReadonlyArray<A>, seed: number): ReadonlyArray<A> => {
  const next = uniformNumbers(seed)
  const order = [...items]
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1))
    ;[order[i], order[j]] = [order[j], order[i]]
  }
  return order
}
