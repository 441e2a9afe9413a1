import { Ir } from "@espalier/tensor"
import type { WgslBuilder } from "@espalier/tensor"
import type { Connection } from "./connection.ts"
import type { Bindings } from "./templates/common.ts"
import { lowerKernel } from "./templates/mod.ts"
import type { Strategy } from "./templates/strategy.ts"

/** A kernel ready to be dispatched. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline
  readonly layout: GPUBindGroupLayout
  readonly workgroups: readonly [number, number, number]
}

/** The first complaint of the WGSL compiler, with its place and line. */
const complaint = async (
  module: GPUShaderModule,
  code: string,
  fallback: string,
): Promise<string> => {
  const { messages } = await module.getCompilationInfo()
  const first = messages.find((message) => message.type === "error")
  if (first === undefined) return fallback
  const line = code.split("\n")[first.lineNum - 1] ?? ""
  return `${first.message} at ${first.lineNum}:${first.linePos}: ${line.trim()}`
}

/** Numbers of `GPUShaderStage`, a global in browsers only. */
const computeStage = 4

/** Compiled kernels of a device, each once, whichever programs use it. */
export class Pipelines {
  readonly #connection: Connection
  readonly #strategy: Strategy
  readonly #compiled = new Map<string, Promise<Pipeline>>()
  readonly #layouts = new Map<
    string,
    { readonly group: GPUBindGroupLayout; readonly pipeline: GPUPipelineLayout }
  >()

  constructor(connection: Connection, strategy: Strategy) {
    this.#connection = connection
    this.#strategy = strategy
  }

  #layout(bindings: ReadonlyArray<WgslBuilder.Binding>) {
    const key = bindings.map((binding) => binding.access).join(" ")
    const known = this.#layouts.get(key)
    if (known !== undefined) return known
    const { device } = this.#connection
    const group = device.createBindGroupLayout({
      entries: bindings.map(({ access }, binding) => ({
        binding,
        visibility: computeStage,
        buffer: { type: access === "read" ? "read-only-storage" : "storage" },
      })),
    })
    const made = { group, pipeline: device.createPipelineLayout({ bindGroupLayouts: [group] }) }
    this.#layouts.set(key, made)
    return made
  }

  async #compile(kernel: Ir.Kernel, bound: Bindings): Promise<Pipeline> {
    const { device, sources } = this.#connection
    const { maxStorageBuffersPerShaderStage: most } = device.limits
    if (bound.bindings.length > most) {
      throw new Error(`it binds ${bound.bindings.length} buffers, and the adapter allows ${most}`)
    }
    const { code, workgroups } = lowerKernel(kernel, bound, this.#strategy)
    const label = `${kernel.name} #${sources.size}`
    sources.set(label, code)
    const layout = this.#layout(bound.bindings)
    device.pushErrorScope("validation")
    const module = device.createShaderModule({ code, label })
    const scope = device.popErrorScope()
    try {
      const pipeline = await device.createComputePipelineAsync({
        label,
        layout: layout.pipeline,
        compute: { module, entryPoint: "main" },
      })
      return { pipeline, layout: layout.group, workgroups }
    } catch (cause) {
      sources.delete(label)
      const text = cause instanceof Error ? cause.message : String(cause)
      throw new Error(await complaint(module, code, text), { cause })
    } finally {
      await scope.catch(() => null)
    }
  }

  /** The pipeline of `kernel`; rejects with a message for people. */
  get(kernel: Ir.Kernel, bound: Bindings): Promise<Pipeline> {
    const access = bound.bindings.map((binding) => binding.access).join(" ")
    const key = `${Ir.printKernel(kernel)}\n${access} ${bound.operandBinding.join(" ")}`
    const known = this.#compiled.get(key)
    if (known !== undefined) return known
    const made = this.#compile(kernel, bound)
    this.#compiled.set(key, made)
    made.catch(() => this.#compiled.delete(key))
    return made
  }
}
