import type { DType, HostData } from "../dtype.ts"
import type { Kernel } from "./kernel.ts"

/** A buffer of a schedule. Inputs, outputs and constants are whole buffers, temporaries share the arena. */
export interface ScheduleBuffer {
  readonly id: number
  readonly dtype: DType
  /** Number of elements. */
  readonly length: number
  readonly role: "input" | "output" | "temporary" | "constant"
  /** Values of a constant. */
  readonly data?: HostData
  /** The same values before they were rounded to `f32`, for readers that compute in `f64`. */
  readonly exact?: Float64Array
  /** Byte offset of a temporary in the arena, a multiple of {@link arenaAlignment}. */
  readonly offset?: number
}

/** A kernel with the buffers that its operands stand for, in the order of `kernel.operands`. */
export interface ScheduleStep {
  readonly kernel: Kernel
  readonly buffers: ReadonlyArray<number>
}

/**
 * Steps `[from, to)` of a schedule run `count` times in a row. What one round leaves for the next
 * lies in the same buffers.
 */
export interface Repeat {
  readonly from: number
  readonly to: number
  readonly count: number
}

/**
 * A program as every device reads it: an ordered list of kernels over planned memory. Steps may
 * only be reordered where their buffers (and the arena ranges of temporaries) do not meet.
 */
export interface Schedule {
  readonly name: string
  /** sha256 of everything that can change the results. */
  readonly hash: string
  readonly buffers: ReadonlyArray<ScheduleBuffer>
  readonly steps: ReadonlyArray<ScheduleStep>
  /** Loops over steps, inner ones before those that contain them; most programs have none. */
  readonly repeats: ReadonlyArray<Repeat>
  readonly arenaBytes: number
  /** Buffer ids of the inputs and outputs, in the order of the program's leaves. */
  readonly inputs: ReadonlyArray<number>
  readonly outputs: ReadonlyArray<number>
  /** Outputs that may take over the memory of a donated input: the kernel updates it in place. */
  readonly inPlace: ReadonlyArray<{ readonly output: number; readonly input: number }>
}

/** Bytes to which temporaries are aligned in the arena: WebGPU's binding offset. */
export const arenaAlignment = 256
