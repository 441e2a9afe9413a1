import type { DType } from "../dtype.ts"
import type { WasmCode, WasmKit } from "../kernel/wasm_abi.ts"
import type { WgslCode, WgslTarget } from "../kernel/wgsl_abi.ts"
import type { Expression } from "./expression.ts"
import type { Schedule } from "./schedule.ts"

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
}

interface WithOutputs {
  readonly outputs: ReadonlyArray<Output>
}

/** `out[v0, v1, …] = value`. Variable `i` runs over `loops[i]`. */
export interface MapKernel extends Common, WithOutputs {
  readonly kind: "map"
  readonly loops: ReadonlyArray<number>
}

/**
 * `acc = fold(combine, elements)` over the reduce loops for every point of `loops`; output values
 * see the accumulators as arguments and the variables of `loops`. Variables `0 … loops.length − 1`
 * are the outer ones, the reduce variables follow.
 */
export interface ReduceKernel extends Common, WithOutputs {
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
export interface ScanKernel extends Common, WithOutputs {
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
export interface ContractKernel extends Common, WithOutputs {
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
export interface ScatterKernel extends Common, WithOutputs {
  readonly kind: "scatter"
  readonly updates: number
  readonly rows: number
  readonly inner: number
  readonly row: Expression
  readonly value: Expression
  readonly mode: "set" | "add"
  readonly initial: number | undefined
}

/** Memory of a rows kernel that only one point of its loops sees at a time. */
export interface Local {
  readonly dtype: DType
  /** Number of elements. */
  readonly length: number
}

/**
 * A step of a {@link RowsKernel}: a map or a reduction over loops of its own, inside the loops of
 * the kernel.
 */
export type RowStage = Omit<MapKernel, "operands"> | Omit<ReduceKernel, "operands">

/**
 * Several maps and reductions over the same outer loops in one pass: for every point of `loops`, the
 * stages one after the other. What a stage leaves for the next ones lies in locals, which loads and
 * outputs name as operands `operands.length`, `operands.length + 1`, …; a value that is also needed
 * elsewhere is stored twice. Variables 0 … `loops.length − 1` are the outer ones, those of a stage
 * follow. A stage writes an operand at `[…loops, …stage loops]` and a local at `[…stage loops]`.
 * No stage reads an operand that the kernel writes.
 */
export interface RowsKernel extends Common {
  readonly kind: "rows"
  readonly loops: ReadonlyArray<number>
  readonly locals: ReadonlyArray<Local>
  readonly stages: ReadonlyArray<RowStage>
}

/**
 * A kernel that somebody wrote by hand. `reference` computes the same with other kinds of kernel:
 * its inputs are the operands that are read, its outputs those that are written, in order. A device
 * that has no use for the hand-written code runs the reference instead.
 */
export interface CustomKernel extends Common {
  readonly kind: "custom"
  /** Everything that can change what it computes or how. */
  readonly key: string
  readonly reference: Schedule
  /** Code for the CPU; `undefined` where it has none for these shapes. */
  readonly wasm?: (kit: WasmKit) => WasmCode | undefined
  /** Code for a GPU; `undefined` where it has none for these shapes or this adapter. */
  readonly wgsl?: (target: WgslTarget) => WgslCode | undefined
}

/** The kinds of kernel that do one thing. */
export type SimpleKernel = MapKernel | ReduceKernel | ScanKernel | ContractKernel | ScatterKernel

/** One unit of device work. A back end has one template for each kind. */
export type Kernel = SimpleKernel | RowsKernel | CustomKernel

/** The extents of the variables a kernel's expressions may use, by variable index. */
export const variableExtents = (kernel: Kernel): ReadonlyArray<number> => {
  switch (kernel.kind) {
    case "map":
    case "rows":
      return kernel.loops
    case "reduce":
      return [...kernel.loops, ...kernel.reduceLoops]
    case "scan":
      return [...kernel.loops, kernel.length]
    case "contract":
      return [...kernel.batch, kernel.m, kernel.n, kernel.k]
    case "scatter":
      return [kernel.updates, kernel.inner]
    case "custom":
      return []
  }
}

/** The same for one stage of a rows kernel: the outer loops come first. */
export const stageExtents = (kernel: RowsKernel, stage: RowStage): ReadonlyArray<number> => [
  ...kernel.loops,
  ...stage.loops,
  ...(stage.kind === "reduce" ? stage.reduceLoops : []),
]

/** The extents of the row-major space that a kernel's outputs are written over. */
export const outputExtents = (kernel: Kernel): ReadonlyArray<number> => {
  switch (kernel.kind) {
    case "map":
    case "reduce":
    case "rows":
      return kernel.loops
    case "scan":
      return [...kernel.loops, kernel.length]
    case "contract":
      return [...kernel.batch, kernel.m, kernel.n]
    case "scatter":
      return [kernel.rows, kernel.inner]
    case "custom":
      return []
  }
}

/** Every expression that a kernel evaluates. */
export const roots = (kernel: Kernel | RowStage): ReadonlyArray<Expression> => {
  if (kernel.kind === "custom") return []
  if (kernel.kind === "rows") return kernel.stages.flatMap(roots)
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
