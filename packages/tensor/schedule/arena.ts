import { byteSize } from "../dtype.ts"
import type { Repeat, ScheduleBuffer, ScheduleStep } from "../ir/schedule.ts"
import { arenaAlignment } from "../ir/schedule.ts"

const align = (bytes: number): number => Math.ceil(bytes / arenaAlignment) * arenaAlignment

/**
 * Places temporaries in one arena so that two of them share memory only when they are never alive
 * at the same time. Largest first, each at the lowest offset that is free during its life.
 */
export const planArena = (
  buffers: ReadonlyArray<ScheduleBuffer>,
  steps: ReadonlyArray<ScheduleStep>,
  repeats: ReadonlyArray<Repeat> = [],
): { readonly buffers: ReadonlyArray<ScheduleBuffer>; readonly arenaBytes: number } => {
  const life = new Map<number, { first: number; last: number }>()
  for (const [at, step] of steps.entries()) {
    for (const id of step.buffers) {
      const known = life.get(id)
      if (known === undefined) life.set(id, { first: at, last: at })
      else known.last = at
    }
  }
  // What is used both inside and outside of a loop lives through all of its rounds.
  for (const { from, to } of repeats) {
    for (const range of life.values()) {
      if (range.last < from || range.first >= to) continue
      if (range.first >= from && range.last < to) continue
      range.first = Math.min(range.first, from)
      range.last = Math.max(range.last, to - 1)
    }
  }
  type Placed = {
    readonly offset: number
    readonly end: number
    readonly first: number
    readonly last: number
  }
  const placed: Array<Placed> = []
  const offsets = new Map<number, number>()
  let arenaBytes = 0
  const temporaries = buffers
    .filter((buffer) => buffer.role === "temporary")
    .map((buffer) => ({ id: buffer.id, bytes: align(buffer.length * byteSize(buffer.dtype)) }))
    .sort((a, b) => b.bytes - a.bytes || a.id - b.id)
  for (const { id, bytes } of temporaries) {
    const { first, last } = life.get(id)!
    const rivals = placed
      .filter((other) => other.first <= last && first <= other.last)
      .sort((a, b) => a.offset - b.offset)
    let offset = 0
    for (const rival of rivals) {
      if (offset + bytes <= rival.offset) break
      offset = Math.max(offset, rival.end)
    }
    placed.push({ offset, end: offset + bytes, first, last })
    offsets.set(id, offset)
    arenaBytes = Math.max(arenaBytes, offset + bytes)
  }
  return {
    buffers: buffers.map((buffer) => {
      const offset = offsets.get(buffer.id)
      return offset === undefined ? buffer : { ...buffer, offset }
    }),
    arenaBytes,
  }
}
