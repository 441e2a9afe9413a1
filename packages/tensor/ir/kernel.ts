import type { DType } from "../dtype.ts"
import type { Expression } from "./expression.ts"

/** A buffer that a kernel reads or writes; `Load.operand` and `Output.operand` point here. */
export interface Operand {
  readonly dtype: DType
  /** Number of elements. */
  readonly length: number
  readonly access: "read" | "write"
}

/**
 * One stored result. The element written is the row-major position of the kernel's output loops,
 * so outputs are always dense.
 */
export interface Output {
  readonly operand: number
  readonly value: Expression
}

/**
 * An associative combination of tuples: sum, maximum, (value, index) for argmax, (a, b) for a
 * linear recurrence. In `result`, argument `i` is accumulator `i` and argument `n + i` is element
 * `i`, for tuples of `n`. `identity[i]` is the start of accumulator `i`.
 */
export interface Combine {
  readonly name: string
  readonly dtypes: ReadonlyArray<DType>
  readonly identity: ReadonlyArray<number>
  readonly result: ReadonlyArray<Expression>
}

interface Common {
  /** What it is, for people: `add+exp`, `sum`, `matmul+gelu`. Not part of the kernel's identity. */
  readonly name: string
  readonly operands: ReadonlyArray<Operand>
  readonly outputs: ReadonlyArray<Output>
}

/** `out[v0, v1, …] = value`. Variable `i` runs over `loops[i]`. */
export interface MapKernel extends Common {
  readonly kind: "map"
  readonly loops: ReadonlyArray<number>
}

/**
 * `acc = fold(combine, elements)` over the reduce loops for every point of `loops`; output values
 * see the accumulators as arguments and the variables of `loops`. Variables `0 … loops.length − 1`
 * are the outer ones, the reduce variables follow.
 */
export interface ReduceKernel extends Common {
  readonly kind: "reduce"
  readonly loops: ReadonlyArray<number>
  readonly reduceLoops: ReadonlyArray<number>
  readonly elements: ReadonlyArray<Expression>
  readonly combine: Combine
}

/**
 * Inclusive running combination along one more loop of `length`, variable `loops.length`; outputs
 * are written at `[…loops, position]`.
 */
export interface ScanKernel extends Common {
  readonly kind: "scan"
  readonly loops: ReadonlyArray<number>
  readonly length: number
  readonly elements: ReadonlyArray<Expression>
  readonly combine: Combine
}

/**
 * `sum_k left[batch…, m, k] · right[batch…, k, n]`, accumulated in `f32` (`f64` on `f64` readers).
 * Variables: batch ones first, then m, n, k. Output values see the sum as argument 0 and the batch,
 * m and n variables, and are written at `[batch…, m, n]`.
 */
export interface ContractKernel extends Common {
  readonly kind: "contract"
  readonly batch: ReadonlyArray<number>
  readonly m: number
  readonly n: number
  readonly k: number
  readonly left: Expression
  readonly right: Expression
}

/**
 * Rows of updates written into a `[rows, inner]` output that starts as operand `initial` (or as
 * zeros): for t ascending, `out[row(t), d] = combine(out[row(t), d], value(t, d))`. Variable 0 is t
 * (`updates` of them), variable 1 is d (`inner`). Rows outside `[0, rows)` are dropped. The output
 * shares memory with `initial` only where `Schedule.inPlace` pairs them, and then neither `row` nor
 * `value` loads from it; otherwise they may, and see it as it was.
 */
export interface ScatterKernel extends Common {
  readonly kind: "scatter"
  readonly updates: number
  readonly rows: number
  readonly inner: number
  readonly row: Expression
  readonly value: Expression
  readonly mode: "set" | "add"
  readonly initial: number | undefined
}

/** One unit of device work. A back end has one template for each kind. */
export type Kernel = MapKernel | ReduceKernel | ScanKernel | ContractKernel | ScatterKernel

/** The extents of the variables a kernel's expressions may use, by variable index. */
export const variableExtents = (kernel: Kernel): ReadonlyArray<number> => {
  switch (kernel.kind) {
    case "map":
      return kernel.loops
    case "reduce":
      return [...kernel.loops, ...kernel.reduceLoops]
    case "scan":
      return [...kernel.loops, kernel.length]
    case "contract":
      return [...kernel.batch, kernel.m, kernel.n, kernel.k]
    case "scatter":
      return [kernel.updates, kernel.inner]
  }
}

/** The extents of the row-major space that a kernel's outputs are written over. */
export const outputExtents = (kernel: Kernel): ReadonlyArray<number> => {
  switch (kernel.kind) {
    case "map":
    case "reduce":
      return kernel.loops
    case "scan":
      return [...kernel.loops, kernel.length]
    case "contract":
      return [...kernel.batch, kernel.m, kernel.n]
    case "scatter":
      return [kernel.rows, kernel.inner]
  }
}

/** Every expression that a kernel evaluates. */
export const roots = (kernel: Kernel): ReadonlyArray<Expression> => {
  const outputs = kernel.outputs.map((output) => output.value)
  switch (kernel.kind) {
    case "map":
      return outputs
    case "reduce":
    case "scan":
      return [...kernel.elements, ...kernel.combine.result, ...outputs]
    case "contract":
      return [kernel.left, kernel.right, ...outputs]
    case "scatter":
      return [kernel.row, kernel.value]
  }
}
