/** Who needs whom: names in file order, and what each one needs. */
export type Needs = ReadonlyMap<string, ReadonlyArray<string>>

/** The first cycle among the names, as the names in it with the first one again at the end. */
export const findCycle = (needs: Needs): ReadonlyArray<string> | undefined => {
  const finished = new Set<string>()
  const trail: Array<string> = []
  const visit = (name: string): ReadonlyArray<string> | undefined => {
    if (finished.has(name)) return undefined
    const start = trail.indexOf(name)
    if (start >= 0) return [...trail.slice(start), name]
    trail.push(name)
    for (const needed of needs.get(name) ?? []) {
      const cycle = visit(needed)
      if (cycle !== undefined) return cycle
    }
    trail.pop()
    finished.add(name)
    return undefined
  }
  for (const name of needs.keys()) {
    const cycle = visit(name)
    if (cycle !== undefined) return cycle
  }
  return undefined
}

/** Takes numbered things that wait for each other: of those that wait for nothing, the first one. */
export interface WaitingList {
  /** The first one that can begin; `undefined` where none can for now. */
  readonly take: () => number | undefined
  /** Says that one is done. */
  readonly settle: (number: number) => void
}

/** A waiting list of 0, 1, …: what each one needs. */
export const makeWaitingList = (needs: ReadonlyArray<ReadonlyArray<number>>): WaitingList => {
  const waitsFor = needs.map((needed) => new Set(needed).size)
  const awaitedBy = needs.map((): Array<number> => [])
  for (const [number, needed] of needs.entries()) {
    for (const other of new Set(needed)) awaitedBy[other].push(number)
  }
  // Sorted, the first one at the end.
  const ready: Array<number> = []
  const insert = (number: number): void => {
    let [low, high] = [0, ready.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (ready[middle] > number) low = middle + 1
      else high = middle
    }
    ready.splice(low, 0, number)
  }
  for (const [number, count] of waitsFor.entries()) if (count === 0) insert(number)
  return {
    take: () => ready.pop(),
    settle: (number) => {
      for (const other of awaitedBy[number]) {
        waitsFor[other]--
        if (waitsFor[other] === 0) insert(other)
      }
    },
  }
}

/** The names so that each comes after all that it needs, in file order where that leaves a choice. */
export const orderByNeeds = (needs: Needs): ReadonlyArray<string> => {
  const names = [...needs.keys()]
  const places = new Map(names.map((name, place) => [name, place]))
  const list = makeWaitingList(
    [...needs.values()].map((needed) => needed.map((name) => places.get(name)!)),
  )
  const ordered: Array<string> = []
  for (let next = list.take(); next !== undefined; next = list.take()) {
    ordered.push(names[next])
    list.settle(next)
  }
  if (ordered.length < names.length) throw new RangeError("the needs have a cycle")
  return ordered
}
