/** What a step's id says: `pruned[sparsity=0.5,method=wanda]` is one combination of a sweep. */
export interface StepId {
  readonly base: string
  /** The fields that the sweep varies, in the order of the id. */
  readonly variables: ReadonlyArray<readonly [field: string, value: string]>
}

/** Reads a step's id. An id that is no combination of a sweep is its own base. */
export const parseStepId = (id: string): StepId => {
  const match = /^([^[\]]+)\[(.+)\]$/.exec(id)
  if (match === null) return { base: id, variables: [] }
  // A comma separates only where a field follows: a value may have commas of its own.
  const variables = match[2].split(/,\s*(?=[\w.-]+=)/).map((part): [string, string] => {
    const at = part.indexOf("=")
    return at === -1 ? ["", part] : [part.slice(0, at), part.slice(at + 1)]
  })
  return { base: match[1], variables }
}
