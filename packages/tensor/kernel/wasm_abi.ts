import type { UnaryFunction } from "../ir/expression.ts"
import type { FunctionBuilder } from "./wasm_encoder.ts"

/**
 * What a hand-written CPU kernel is given to write its code with. A kernel is a list of stages that
 * run one after the other; each is a function over a part `[start, end)` of its range, and different
 * threads compute different parts at the same time.
 */
export interface WasmKit {
  /** True where {@link WasmStageKit.multiplyAdd} is one instruction. */
  readonly fusedMultiplyAdd: boolean
}

/** A number known now, or an `i32` local. */
export type WasmBound = number | { readonly local: number }

/** The function of one stage while it is written. */
export interface WasmStageKit {
  readonly f: FunctionBuilder
  /** `i32` locals with the bounds of the part. */
  readonly start: number
  readonly end: number
  /** `i32` local with the address of the thread's own working memory, aligned to 16 bytes. */
  readonly scratch: number
  /** `i32` local with the address of the working memory that all threads and stages see. */
  readonly shared: number
  /** The `i32` local with the address of an operand. */
  readonly operand: (index: number) => number
  /** `for (v = from; v < to; v += step)`, where a bound is a number or an `i32` local. */
  readonly loop: (
    from: WasmBound,
    to: WasmBound,
    step: number,
    body: (variable: number) => void,
  ) => void
  /** Pops two vectors, multiplies them and adds what `addend` pushes; leaves the sum. */
  readonly multiplyAdd: (addend: () => void) => void
  /** Applies a function to four `f32` in a `v128` local; answers a local with the results. */
  readonly apply: (name: UnaryFunction, local: number) => number
}

/** One stage of a hand-written kernel. */
export interface WasmStage {
  readonly name: string
  /** Parts are taken from `[0, extent)`, their bounds multiples of `grain`. */
  readonly extent: number
  readonly grain: number
  /** About how many vector instructions the whole range takes: small ranges stay on one thread. */
  readonly work: number
  readonly write: (kit: WasmStageKit) => void
}

/** A hand-written kernel for the CPU. */
export interface WasmCode {
  readonly stages: ReadonlyArray<WasmStage>
  /** Bytes of working memory of each thread. */
  readonly scratchBytes?: number
  /** Bytes of working memory that all threads see. */
  readonly sharedBytes?: number
}
