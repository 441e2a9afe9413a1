import type { DeviceBuffer, Executable } from "@espalier/tensor"
import { CompileError, Ir, OutOfMemory, UnsupportedDType } from "@espalier/tensor"
import { Effect } from "effect"
import type { Scope } from "effect"
import type { StepBindings } from "./binding_plan.ts"
import { copiedPairs, planBindings, rangeBytes } from "./binding_plan.ts"
import type { Connection } from "./connection.ts"
import { toDevice } from "./host_data.ts"
import type { Memory, MemoryBuffer } from "./memory.ts"
import type { Pipeline, Pipelines } from "./pipelines.ts"
import { product } from "./templates/common.ts"

/** What executables of one device share. */
export interface Context {
  readonly connection: Connection
  readonly memory: Memory
  readonly pipelines: Pipelines
  readonly dtypes: ReadonlyArray<string>
  /** Bytes of the largest binding. */
  readonly maximumBytes: number
  readonly poison: boolean
  readonly counters: { dispatches: number; programs: number }
}

const checkDTypes = (schedule: Ir.Schedule, { dtypes, connection }: Context) => {
  const wanted = new Set<string>(schedule.buffers.map((buffer) => buffer.dtype))
  for (const { kernel } of schedule.steps) {
    for (const node of Ir.reachable(Ir.roots(kernel))) wanted.add(node.dtype)
  }
  const missing = [...wanted].find((dtype) => !dtypes.includes(dtype))
  return missing === undefined ? undefined : unsupported(missing, connection)
}

export const unsupported = (dtype: string, { name }: Connection): UnsupportedDType =>
  new UnsupportedDType({
    dtype,
    device: name,
    hint:
      dtype === "f64"
        ? "GPUs compute in f32: use the interpreter or the wasm device for f64."
        : "This adapter lacks shader-f16: use f32.",
  })

/** Sets of buffers a step remembers the bind groups of: those of loops that swap buffers. */
const rememberedGroups = 8

/** A step and its bind groups: making one costs more than a dispatch. */
class StepGroup {
  readonly #pipeline: Pipeline
  readonly #plan: StepBindings
  readonly #groups: Array<{
    readonly used: ReadonlyArray<GPUBuffer>
    readonly group: GPUBindGroup
  }> = []

  constructor(pipeline: Pipeline, plan: StepBindings) {
    this.#pipeline = pipeline
    this.#plan = plan
  }

  #group(
    device: GPUDevice,
    schedule: Ir.Schedule,
    buffers: ReadonlyArray<GPUBuffer>,
  ): GPUBindGroup {
    const ids = this.#plan.buffers
    const known = this.#groups.find(({ used }) => used.every((b, i) => b === buffers[ids[i]]))
    if (known !== undefined) return known.group
    const group = device.createBindGroup({
      layout: this.#pipeline.layout,
      entries: ids.map((id, binding) => {
        const { dtype, length, offset = 0 } = schedule.buffers[id]
        const resource = { buffer: buffers[id], offset, size: rangeBytes(dtype, length) }
        return { binding, resource }
      }),
    })
    this.#groups.unshift({ used: ids.map((id) => buffers[id]), group })
    if (this.#groups.length > rememberedGroups) this.#groups.pop()
    return group
  }

  dispatch(
    pass: GPUComputePassEncoder,
    device: GPUDevice,
    schedule: Ir.Schedule,
    buffers: ReadonlyArray<GPUBuffer>,
  ): void {
    pass.setPipeline(this.#pipeline.pipeline)
    pass.setBindGroup(0, this.#group(device, schedule, buffers))
    pass.dispatchWorkgroups(...this.#pipeline.workgroups)
  }
}

/** Compiles every kernel of a schedule and sets its memory up. */
export const compile = (
  schedule: Ir.Schedule,
  context: Context,
): Effect.Effect<Executable, CompileError | OutOfMemory | UnsupportedDType, Scope.Scope> =>
  Effect.gen(function* () {
    const { connection, memory, counters } = context
    const problem = checkDTypes(schedule, context)
    if (problem !== undefined) return yield* problem
    for (const { dtype, length } of schedule.buffers) {
      const bytes = rangeBytes(dtype, length)
      if (bytes > context.maximumBytes) {
        return yield* new OutOfMemory({
          device: connection.name,
          requestedBytes: bytes,
          limitBytes: context.maximumBytes,
          hint: `One array of ${schedule.name} is larger than the adapter can bind: split it.`,
        })
      }
    }
    const steps = schedule.steps.filter(({ kernel }) => product(Ir.outputExtents(kernel)) > 0)
    const groups = yield* Effect.all(
      steps.map((step) => compileStep(schedule, step, context)),
      { concurrency: "unbounded" },
    )
    const owned = yield* Effect.acquireRelease(
      Effect.sync(() => {
        counters.programs++
        return new Array<MemoryBuffer>()
      }),
      (buffers) =>
        Effect.sync(() => {
          counters.programs--
          for (const buffer of buffers) memory.free(buffer)
        }),
    )
    const claim = (bytes: number) => {
      const { maxBufferSize } = connection.device.limits
      return Effect.tap(memory.allocate(bytes, maxBufferSize), (buffer) =>
        Effect.sync(() => owned.push(buffer)),
      )
    }
    const arena = schedule.arenaBytes > 0 ? yield* claim(schedule.arenaBytes) : undefined
    const fixed = new Array<GPUBuffer>(schedule.buffers.length)
    for (const { id, role, dtype, length, data } of schedule.buffers) {
      if (role === "temporary" && arena !== undefined) fixed[id] = arena.gpu
      if (role !== "constant" || data === undefined) continue
      const constant = yield* claim(rangeBytes(dtype, length))
      fixed[id] = constant.gpu
      yield* Effect.mapError(connection.upload(constant.gpu, toDevice(dtype, data)), (lost) =>
        failure(schedule, "its constants", context, lost.message),
      )
    }
    return { run: makeRun(schedule, groups, fixed, arena, context) }
  })

const failure = (
  { name }: Ir.Schedule,
  kernel: string,
  { connection }: Context,
  problem: string,
): CompileError => new CompileError({ program: name, kernel, device: connection.name, problem })

const compileStep = (
  schedule: Ir.Schedule,
  step: Ir.ScheduleStep,
  context: Context,
): Effect.Effect<StepGroup, CompileError> => {
  const plan = planBindings(schedule, step)
  return Effect.tryPromise({
    try: async () => new StepGroup(await context.pipelines.get(step.kernel, plan), plan),
    catch: (cause) => {
      const text = cause instanceof Error ? cause.message : String(cause)
      const lost = context.connection.lost
      return failure(schedule, step.kernel.name, context, lost?.message ?? text)
    },
  })
}

const makeRun = (
  schedule: Ir.Schedule,
  groups: ReadonlyArray<StepGroup>,
  fixed: ReadonlyArray<GPUBuffer>,
  arena: MemoryBuffer | undefined,
  { connection, memory, counters, poison }: Context,
): Executable["run"] => {
  const { device } = connection
  const pairs = copiedPairs(schedule)
  const encode = (
    inputs: ReadonlyArray<DeviceBuffer>,
    outputs: ReadonlyArray<DeviceBuffer>,
  ): GPUCommandBuffer => {
    const buffers = [...fixed]
    schedule.inputs.forEach((id, i) => (buffers[id] = (inputs[i] as MemoryBuffer).gpu))
    schedule.outputs.forEach((id, i) => (buffers[id] = (outputs[i] as MemoryBuffer).gpu))
    if (poison) {
      if (arena !== undefined) memory.fillWithNaN(arena)
      for (const output of outputs) {
        if (!inputs.includes(output)) memory.fillWithNaN(output as MemoryBuffer)
      }
    }
    const encoder = device.createCommandEncoder({ label: schedule.name })
    for (const { input, output } of pairs) {
      const [from, to] = [buffers[input], buffers[output]]
      const { dtype, length } = schedule.buffers[output]
      if (from !== to) encoder.copyBufferToBuffer(from, 0, to, 0, rangeBytes(dtype, length))
    }
    const pass = encoder.beginComputePass()
    for (const group of groups) group.dispatch(pass, device, schedule, buffers)
    pass.end()
    return encoder.finish()
  }
  return (inputs, outputs) =>
    Effect.andThen(
      connection.check,
      Effect.suspend(() => {
        counters.dispatches += groups.length
        return connection.submit(encode(inputs, outputs))
      }),
    )
}
