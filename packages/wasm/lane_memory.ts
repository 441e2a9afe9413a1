import type { Emitter } from "./emitter.ts"
import { Lanes } from "./lanes.ts"

/** Pushes the four elements at the indices in the lanes of `index`. */
export const gatherLanes = (emitter: Emitter, base: number, index: number): void => {
  const { f } = emitter
  for (let lane = 0; lane < 4; lane++) {
    const loaded = lane === 0 ? undefined : emitter.keep("v128")
    f.get(base).get(index).lane("i32x4.extract_lane", lane).i32(2).op("i32.shl").op("i32.add")
    if (loaded === undefined) f.memory("v128.load32_zero")
    else f.get(loaded).memoryLane("v128.load32_lane", lane)
  }
}

/**
 * Pushes four elements, `step` elements apart. The address of the one that comes first in memory is
 * on the stack.
 */
export const loadLanes = (emitter: Emitter, offset: number, step: number): void => {
  const { f } = emitter
  if (step === 0) f.memory("v128.load32_splat", offset)
  else if (step === 1) f.memory("v128.load", offset)
  else if (step === -1) {
    const reversed = (f.memory("v128.load", offset), emitter.keep("v128"))
    f.get(reversed).get(reversed).shuffle(3, 2, 1, 0)
  } else {
    const address = emitter.keep("i32")
    const size = 4 * Math.abs(step)
    const first = step > 0 ? 0 : 3
    f.get(address).memory("v128.load32_zero", offset + first * size)
    for (let lane = 1; lane < 4; lane++) {
      const loaded = emitter.keep("v128")
      const place = step > 0 ? lane : 3 - lane
      f.get(address)
        .get(loaded)
        .memoryLane("v128.load32_lane", lane, offset + place * size)
    }
  }
}

/** Stores four elements as {@link loadLanes} reads them; lane 0 alone where the step is 0. */
export const storeLanes = (
  emitter: Emitter,
  stored: number,
  offset: number,
  step: number,
): void => {
  const { f } = emitter
  if (step === 0) f.get(stored).memoryLane("v128.store32_lane", 0, offset)
  else if (step === 1) f.get(stored).memory("v128.store", offset)
  else {
    const address = emitter.keep("i32")
    for (let lane = 0; lane < 4; lane++) {
      const place = step > 0 ? lane : 3 - lane
      f.get(address).get(stored)
      f.memoryLane("v128.store32_lane", lane, offset + 4 * Math.abs(step) * place)
    }
  }
}

/**
 * Replaces the vector on the stack by `(lane l >> l · step) & mask`: every lane up by a factor, then
 * all down by one count, for there is no shift with a count for each lane.
 */
export const spreadCodes = (emitter: Emitter, step: number, mask: number): void => {
  const { f } = emitter
  const lanes = new Lanes(emitter)
  f.i32x4(2 ** (3 * step), 2 ** (2 * step), 2 ** step, 1).op("i32x4.mul")
  f.i32(3 * step)
    .op("i32x4.shr_u")
    .get(lanes.bits(mask))
    .op("v128.and")
}
