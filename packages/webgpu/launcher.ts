import type { LaunchBindings } from "./binding_plan.ts"
import type { Pipeline } from "./pipelines.ts"

/** Sets of buffers a launch remembers the bind groups of: those of loops that swap buffers. */
const rememberedGroups = 8

interface KnownGroup {
  readonly used: ReadonlyArray<GPUBuffer>
  readonly group: GPUBindGroup
}

/** A launch ready to run, with its bind groups: making one costs more than a dispatch. */
export class Launcher {
  readonly #device: GPUDevice
  readonly #pipeline: Pipeline
  readonly #bindings: LaunchBindings
  /** Byte offset of each bound range in its GPU buffer. */
  readonly #offsets: ReadonlyArray<number>
  readonly #groups: Array<KnownGroup> = []

  /** `offsets` are those of the schedule's buffers in theirs of the GPU. */
  constructor(
    device: GPUDevice,
    pipeline: Pipeline,
    bindings: LaunchBindings,
    offsets: ReadonlyArray<number>,
  ) {
    this.#device = device
    this.#pipeline = pipeline
    this.#bindings = bindings
    this.#offsets = bindings.ranges.map(({ buffer, offset }) => offsets[buffer] + offset)
  }

  /** Makes the bind group now, where all buffers are known already. */
  prepare(buffers: ReadonlyArray<GPUBuffer | undefined>): void {
    const known = this.#bindings.ranges.every(({ buffer }) => buffers[buffer] !== undefined)
    if (known) this.#group(buffers as ReadonlyArray<GPUBuffer>)
  }

  #group(buffers: ReadonlyArray<GPUBuffer>): GPUBindGroup {
    const { ranges } = this.#bindings
    for (const { used, group } of this.#groups) {
      let same = true
      for (let i = 0; same && i < used.length; i++) same = used[i] === buffers[ranges[i].buffer]
      if (same) return group
    }
    const group = this.#device.createBindGroup({
      layout: this.#pipeline.layout,
      entries: ranges.map(({ buffer, bytes }, binding) => ({
        binding,
        resource: { buffer: buffers[buffer], offset: this.#offsets[binding], size: bytes },
      })),
    })
    this.#groups.unshift({ used: ranges.map(({ buffer }) => buffers[buffer]), group })
    if (this.#groups.length > rememberedGroups) this.#groups.pop()
    return group
  }

  dispatch(pass: GPUComputePassEncoder, buffers: ReadonlyArray<GPUBuffer>): void {
    const { pipeline, workgroups } = this.#pipeline
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, this.#group(buffers))
    pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2])
  }
}
