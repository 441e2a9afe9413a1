import type { HelperName } from "./wgsl_functions.ts"

/** What a hand-written GPU kernel may count on. */
export interface WgslTarget {
  /** A driver that runs on the CPU: barriers and workgroup memory are slow there. */
  readonly software: boolean
  /** Most invocations of a workgroup. */
  readonly maximumInvocations: number
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number
  /** Lanes that can be counted on in a subgroup, a power of two; 0 where there are none to use. */
  readonly subgroup: number
  /** The WGSL name of the array of an operand, for loads and stores by element. */
  readonly operand: (index: number) => string
  /**
   * The name of a function whose accuracy is the same on every adapter (`exp_f32`, `log_f32`, …);
   * the device declares it.
   */
  readonly helper: (name: HelperName) => string
}

/** A hand-written kernel for a GPU. The device declares the operands. */
export interface WgslCode {
  /**
   * Module-scope declarations (constants, workgroup variables, functions) and the function `main`.
   * Lines with `enable`, `requires` or `diagnostic` come first in the shader, wherever they stand.
   */
  readonly code: string
  /** At most 65535 in each dimension. */
  readonly workgroups: readonly [number, number, number]
}
