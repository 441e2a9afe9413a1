import { Ir } from "@espalier/tensor"
import type { BoundRange, LaunchBindings } from "./binding_plan.ts"
import type { ProgramCode } from "./code_cache.ts"
import type { Connection } from "./connection.ts"
import type { Lowered } from "./templates/common.ts"
import { lowerKernel } from "./templates/mod.ts"
import type { Strategy } from "./templates/strategy.ts"

/** A kernel ready to be dispatched. */
export interface Pipeline {
  /** What the shader is called in messages of the driver. */
  readonly label: string
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

/**
 * Compiled kernels that are remembered for the next program. A program holds on to its own, so that
 * forgetting the oldest only means to compile them again for another.
 */
const rememberedPipelines = 1024

/** Numbers of `GPUShaderStage`, a global in browsers only. */
const computeStage = 4

/** Compiled kernels of a device, each once, whichever programs use it. */
export class Pipelines {
  readonly #connection: Connection
  readonly #strategy: Strategy
  readonly #compiled = new Map<
    string,
    { readonly lowered: Lowered; readonly pipeline: Promise<Pipeline> }
  >()
  #made = 0
  readonly #layouts = new Map<
    string,
    { readonly group: GPUBindGroupLayout; readonly pipeline: GPUPipelineLayout }
  >()

  constructor(connection: Connection, strategy: Strategy) {
    this.#connection = connection
    this.#strategy = strategy
  }

  #layout(ranges: ReadonlyArray<BoundRange>) {
    const key = ranges.map(({ access }) => access).join(" ")
    const known = this.#layouts.get(key)
    if (known !== undefined) return known
    const { device } = this.#connection
    const group = device.createBindGroupLayout({
      entries: ranges.map(({ access }, binding) => ({
        binding,
        visibility: computeStage,
        buffer: { type: access === "read" ? "read-only-storage" : "storage" },
      })),
    })
    const made = { group, pipeline: device.createPipelineLayout({ bindGroupLayouts: [group] }) }
    this.#layouts.set(key, made)
    return made
  }

  async #compile(
    kernel: Ir.Kernel,
    bound: LaunchBindings,
    { code, workgroups }: Lowered,
  ): Promise<Pipeline> {
    const { device, sources } = this.#connection
    const { maxStorageBuffersPerShaderStage: most } = device.limits
    if (bound.ranges.length > most) {
      throw new Error(`it binds ${bound.ranges.length} buffers, and the adapter allows ${most}`)
    }
    const label = `${kernel.name} #${this.#made++}`
    sources.set(label, code)
    const layout = this.#layout(bound.ranges)
    device.pushErrorScope("validation")
    const module = device.createShaderModule({ code, label })
    const scope = device.popErrorScope()
    try {
      const pipeline = await device.createComputePipelineAsync({
        label,
        layout: layout.pipeline,
        compute: { module, entryPoint: "main" },
      })
      return { label, pipeline, layout: layout.group, workgroups }
    } catch (cause) {
      sources.delete(label)
      const text = cause instanceof Error ? cause.message : String(cause)
      throw new Error(await complaint(module, code, text), { cause })
    } finally {
      await scope.catch(() => null)
    }
  }

  /** The pipeline of `kernel`; rejects with a message for people. */
  get(kernel: Ir.Kernel, bound: LaunchBindings, code: ProgramCode): Promise<Pipeline> {
    const bindings = bound.bindings.map(
      ({ access, length, pageLength = 0 }) => `${access} ${length} ${pageLength}`,
    )
    const operands = `${bound.operandBinding.join(" ")} from ${bound.operandShift.join(" ")}`
    const key = `${Ir.printKernel(kernel)}\n${bindings.join(", ")}\n${operands}`
    const known = this.#compiled.get(key)
    const lowered = code.get(
      key,
      () => known?.lowered ?? lowerKernel(kernel, bound, this.#strategy),
    )
    const pipeline = known?.pipeline ?? this.#compile(kernel, bound, lowered)
    // The oldest come first in the map.
    this.#compiled.delete(key)
    this.#compiled.set(key, { lowered, pipeline })
    if (known === undefined) {
      pipeline.catch(() => this.#compiled.delete(key))
      this.#forget()
    }
    return pipeline
  }

  #forget(): void {
    for (const [key, { pipeline }] of this.#compiled) {
      if (this.#compiled.size <= rememberedPipelines) return
      this.#compiled.delete(key)
      pipeline.then(
        ({ label }) => this.#connection.sources.delete(label),
        () => undefined,
      )
    }
  }
}
