import type { Ir } from "@espalier/tensor"
import type { Access } from "./dependencies.ts"

/** A loop variable's value: one number for all lanes, or lane l at `local + offset + l·step`. */
export type Binding =
  | { readonly lanes: false; readonly local: number }
  | {
      readonly lanes: true
      readonly local: number
      readonly step: number
      readonly offset: number
      /** What the local is known to be a multiple of. */
      readonly multiple: number
    }

/** The address of an access as far as it is known, and what has to be added yet. */
export interface Pointer {
  readonly local: number
  readonly remaining: Access["terms"]
}

/** What an evaluator knows at a place in the code. */
export interface State {
  readonly variables: Map<number, Binding>
  readonly arguments: Map<number, number>
  readonly vectors: Map<Ir.Expression, number>
  readonly scalars: Map<Ir.Expression, number>
  readonly pointers: Map<string, Pointer>
}

export const copyState = (state: State): State => ({
  variables: new Map(state.variables),
  arguments: new Map(state.arguments),
  vectors: new Map(state.vectors),
  scalars: new Map(state.scalars),
  pointers: new Map(state.pointers),
})

export const emptyState = (): State => ({
  variables: new Map(),
  arguments: new Map(),
  vectors: new Map(),
  scalars: new Map(),
  pointers: new Map(),
})
