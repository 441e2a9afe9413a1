import type { Ir, WasmStageKit } from "@espalier/tensor"
import type { Template } from "./compile_kernel.ts"
import type { KernelModule, Target } from "./emitter.ts"
import { vectorUnary } from "./vector_operations.ts"

const codeOf = (kernel: Ir.CustomKernel, target: Target) =>
  kernel.wasm?.({ fusedMultiplyAdd: target.relaxed })

/** True where a hand-written kernel has code for this device. */
export const hasCode = (kernel: Ir.CustomKernel, target: Target): boolean =>
  codeOf(kernel, target) !== undefined

/** Writes a hand-written kernel with the conveniences of this back end. */
export const compileCustom = (module: KernelModule, kernel: Ir.CustomKernel): Template => {
  const code = codeOf(kernel, module.target)
  if (code === undefined) throw new Error("it has no code for this device")
  const stages = code.stages.map(({ name, extent, grain, work, write }) => {
    const emitter = module.kernel(name, kernel.operands)
    const kit: WasmStageKit = {
      f: emitter.f,
      start: 0,
      end: 1,
      scratch: emitter.scratch,
      shared: emitter.shared,
      operand: (index) => emitter.base(index),
      loop: (from, to, step, body) => emitter.loop(from, to, step, body),
      multiplyAdd: (addend) => emitter.multiplyAdd(addend),
      apply: (unary, local) => {
        vectorUnary(emitter, unary, "f32", local)
        return emitter.keep("v128")
      },
    }
    write(kit)
    return { name, extent, grain, work, partsPerThread: 4 }
  })
  return { stages, scratchBytes: code.scratchBytes ?? 0, sharedBytes: code.sharedBytes ?? 0 }
}
