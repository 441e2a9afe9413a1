/** A series, and positions on it, that numpy computed figures of: see the tests that have them. */
export const prices: ReadonlyArray<number> = [
  100, 103, 101, 108, 104, 99, 97, 102, 110, 107, 111, 115, 109, 112.5, 118.25,
]
export const directions: ReadonlyArray<-1 | 0 | 1> = [
  1, 1, -1, 0, -1, -1, 1, 1, 0, -1, 1, 1, -1, 1, 0,
]
