import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import type { Operation } from "./operation.ts"
import { defineOperation } from "./operation.ts"

/**
 * The same values as another node: computed from it once more instead of shared with what was made
 * of it before.
 */
const anewRow = defineOperation<{ readonly copy: number }>({
  name: "anew",
  summary: "its input, as something that shares no results with it",
  arity: 1,
  infer: ([{ shape, dtype }]) => ({ shape, dtype }),
  gradient: (g) => [g],
  lower: { kind: "view", value: (_, index, at) => at(0, index) },
  reference: ([x]) => x.data,
  examples: [],
  tolerance: 0,
})

let copies = 0

/** {@link anewRow} of a tensor; every call gives another node. */
export const anew = (x: Tensor): Tensor => apply(anewRow, [x], { copy: copies++ })

/** True for what {@link graft} makes: the values of its first input. */
export const isGraft = (operation: Operation): boolean => operation.name === "graft"

/** `result` with another way back: gradients with respect to `inputs` are what `pullback` says. */
export const graft = (
  result: Tensor,
  inputs: ReadonlyArray<Tensor>,
  pullback: (gradient: Tensor) => ReadonlyArray<Tensor | undefined>,
): Tensor =>
  apply(
    {
      name: "graft",
      summary: "its first input, with a gradient of its own",
      arity: "variadic",
      infer: ([{ shape, dtype }]) => ({ shape, dtype }),
      gradient: (g) => [undefined, ...pullback(g)],
      lower: { kind: "view", value: (_, index, at) => at(0, index) },
      reference: ([x]) => x.data,
      examples: [],
      tolerance: 0,
    },
    [result, ...inputs],
    {},
  )
