/**
 * A small seeded generator of 32-bit numbers: splitmix32 (a Weyl sequence through a finaliser with the
 * constants of MurmurHash3). For choosing samples, not for secrets.
 */
export const makeRandom = (seed: number): { readonly below: (bound: number) => number } => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  }
  return {
    // The unfair rest of the range is drawn again, so that every number is equally likely.
    below: (bound) => {
      const fair = 2 ** 32 - (2 ** 32 % bound)
      for (;;) {
        const drawn = next()
        if (drawn < fair) return drawn % bound
      }
    },
  }
}
