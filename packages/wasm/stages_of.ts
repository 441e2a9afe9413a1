import type { Ir } from "@espalier/tensor"
import { compileKernel } from "./compile_kernel.ts"

/** What a kernel becomes on the CPU. */
export interface KernelStages {
  /** Size of the WebAssembly module. */
  readonly bytes: number
  /** Bytes of working memory of each thread. */
  readonly scratchBytes: number
  /** Functions that run one after the other, each over `[0, extent)` in multiples of `grain`. */
  readonly stages: ReadonlyArray<{
    readonly name: string
    readonly extent: number
    readonly grain: number
  }>
}

/**
 * The stages that a kernel becomes, for people who want to see how work is shared between threads. Assumes
 * an engine with fused multiply-add.
 *
 * @example
 * ```ts
 * import { Program, Spec, Tensor } from "@espalier/tensor"
 * import { stagesOf } from "@espalier/wasm"
 *
 * const program = Program.make("norm", { x: Spec.f32([64, 32]) }, ({ x }) => Tensor.softmax(x))
 * console.log(stagesOf(program.schedule.steps[0].kernel).stages)
 * ```
 */
export const stagesOf = (kernel: Ir.Kernel): KernelStages => {
  const target = { relaxed: true, shared: true, maximumPages: 65536 }
  const { bytes, stages, scratchBytes } = compileKernel(kernel, target)
  return {
    bytes: bytes.length,
    scratchBytes,
    stages: stages.map(({ name, extent, grain }) => ({ name, extent, grain })),
  }
}
