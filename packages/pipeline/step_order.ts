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

/** The names so that each comes after all that it needs, in file order where that leaves a choice. */
export const orderByNeeds = (needs: Needs): ReadonlyArray<string> => {
  const ordered = new Set<string>()
  while (ordered.size < needs.size) {
    const next = [...needs].find(
      ([name, needed]) => !ordered.has(name) && needed.every((other) => ordered.has(other)),
    )
    if (next === undefined) throw new RangeError("the needs have a cycle")
    ordered.add(next[0])
  }
  return [...ordered]
}
