import { Ir } from "@espalier/tensor"
import { planBindings } from "./binding_plan.ts"
import { launchOf } from "./plan/launch.ts"
import { lowerKernel } from "./templates/mod.ts"
import type { AdapterFacts } from "./templates/strategy.ts"
import { strategyFor } from "./templates/strategy.ts"

/** The limits that every WebGPU adapter has, and nothing else known. */
const plainGpu: AdapterFacts = {
  software: false,
  vendor: "",
  subgroup: 0,
  maximumInvocations: 256,
  workgroupBytes: 16384,
  bindingBytes: 2 ** 27,
}

/**
 * The WGSL that a kernel becomes on an adapter, for people who want to read it; needs no adapter. The
 * default is a GPU with the limits that all of them have.
 *
 * Throws where the kernel is one that this device takes apart first: a product cut in pieces, rows that
 * do not fit in workgroup memory.
 *
 * @example
 * ```ts
 * import { Program, Spec, Tensor } from "@espalier/tensor"
 * import { shaderOf } from "@espalier/webgpu"
 *
 * const program = Program.make("norm", { x: Spec.f32([64, 32]) }, ({ x }) => Tensor.softmax(x))
 * console.log(shaderOf(program.schedule.steps[0].kernel))
 * ```
 */
export const shaderOf = (kernel: Ir.Kernel, adapter: Partial<AdapterFacts> = {}): string => {
  const schedule = Ir.scheduleOf(kernel)
  const strategy = strategyFor({ ...plainGpu, ...adapter })
  return lowerKernel(kernel, planBindings(launchOf(schedule.steps[0]), schedule), strategy).code
}
