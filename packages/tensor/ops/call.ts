import type { CustomKernel } from "../ir/kernel.ts"
import type { Tensor, TensorType } from "../tensor.ts"
import { apply } from "../tensor.ts"
import type { Operation } from "./operation.ts"

/**
 * Something with several results that runs as one kernel (or as the steps it stands for): a
 * hand-written kernel, a loop.
 */
export interface Call {
  readonly name: string
  /** Everything that can change what it computes, beside its inputs. */
  readonly key: string
  readonly results: ReadonlyArray<TensorType>
  /**
   * The kernel for the results that somebody uses, and which results it writes. Its operands are
   * the inputs, then the written results.
   */
  readonly lower: (used: ReadonlyArray<boolean>) => {
    readonly kernel: CustomKernel
    readonly written: ReadonlyArray<number>
  }
  /** Gradients with respect to the inputs, given those with respect to the results. */
  readonly pullback: (
    gradients: ReadonlyArray<Tensor | undefined>,
    inputs: ReadonlyArray<Tensor>,
    result: (index: number) => Tensor,
  ) => ReadonlyArray<Tensor | undefined>
}

const callRow = (call: Call): Operation => ({
  name: call.name,
  summary: "a kernel or a loop with results of its own",
  arity: "variadic",
  infer: () => call.results[0],
  gradient: () => {
    throw new Error("the gradient of a call needs all of its results")
  },
  lower: { kind: "call", call },
  reference: () => {
    throw new Error("a call is defined by the schedule it stands for")
  },
  examples: [],
  tolerance: 0,
})

const resultRow = (call: Call, index: number): Operation => ({
  ...callRow(call),
  name: `${call.name} result`,
  arity: 1,
  infer: () => call.results[index],
  lower: { kind: "result", index },
})

/** The results of a call. */
export const makeCall = (call: Call, inputs: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> => {
  const node = apply(callRow(call), inputs, { key: call.key })
  return call.results.map((_, index) => resultOf(node, call, index))
}

/** One result of the node of a call. */
export const resultOf = (node: Tensor, call: Call, index: number): Tensor =>
  apply(resultRow(call, index), [node], { index })
