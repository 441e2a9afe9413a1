import { Progress } from "@espalier/runtime"
import type { DeviceBuffer, DeviceLost, DType, Executable } from "@espalier/tensor"
import { CompileError, Ir, OutOfMemory, UnsupportedDType } from "@espalier/tensor"
import { Effect } from "effect"
import type { Scope } from "effect"
import { copiedPairs, planBindings } from "./binding_plan.ts"
import type { CodeCache, ProgramCode } from "./code_cache.ts"
import type { Connection } from "./connection.ts"
import { toDevice } from "./host_data.ts"
import { Launcher } from "./launcher.ts"
import type { Memory, MemoryBuffer } from "./memory.ts"
import type { Pipelines } from "./pipelines.ts"
import type { Launch } from "./plan/launch.ts"
import { rangeBytes } from "./plan/launch.ts"
import type { Plan } from "./plan/plan.ts"
import { planSchedule } from "./plan/plan.ts"
import { hasCode } from "./templates/custom.ts"
import type { Strategy } from "./templates/strategy.ts"

/** What executables of one device share. */
export interface Context {
  readonly connection: Connection
  readonly memory: Memory
  readonly pipelines: Pipelines
  readonly strategy: Strategy
  readonly cache: CodeCache
  readonly dtypes: ReadonlyArray<DType>
  readonly poison: boolean
  readonly counters: { dispatches: number; programs: number }
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

const checkDTypes = (schedule: Ir.Schedule, { dtypes, connection }: Context) => {
  const wanted = new Set<string>(schedule.buffers.map((buffer) => buffer.dtype))
  for (const { kernel } of schedule.steps) {
    for (const node of Ir.reachable(Ir.roots(kernel))) wanted.add(node.dtype)
  }
  const missing = [...wanted].find((dtype) => !dtypes.some((known) => known === dtype))
  return missing === undefined ? undefined : unsupported(missing, connection)
}

/** The plan of a schedule, or why it does not fit the adapter. */
const makePlan = (
  schedule: Ir.Schedule,
  { connection, strategy }: Context,
): Effect.Effect<Plan, OutOfMemory> => {
  const { limits } = connection.device
  const refuse = (requestedBytes: number, limitBytes: number, hint: string) =>
    Effect.fail(new OutOfMemory({ device: connection.name, requestedBytes, limitBytes, hint }))
  for (const { dtype, length } of schedule.buffers) {
    const bytes = rangeBytes(dtype, length)
    if (bytes > limits.maxBufferSize) {
      const hint = `One array of ${schedule.name} is larger than any buffer of the adapter: split it.`
      return refuse(bytes, limits.maxBufferSize, hint)
    }
  }
  const plan = planSchedule(schedule, {
    strategy,
    limits: {
      bindingBytes: strategy.bindingBytes,
      bindings: limits.maxStorageBuffersPerShaderStage,
    },
    keepsCustom: (kernel) => hasCode(kernel, strategy),
  })
  if ("launches" in plan) return Effect.succeed(plan)
  const hint =
    `${plan.kernel} of ${schedule.name} reads or writes an array that is larger than the adapter ` +
    "can bind, in an order that cannot be split by rows: split the array itself."
  return refuse(plan.bytes, strategy.bindingBytes, hint)
}

const failure = (
  { name }: Ir.Schedule,
  kernel: string,
  { connection }: Context,
  problem: string,
): CompileError => new CompileError({ program: name, kernel, device: connection.name, problem })

const compileLaunch = (
  schedule: Ir.Schedule,
  plan: Plan,
  launch: Launch,
  code: ProgramCode,
  context: Context,
): Effect.Effect<Launcher, CompileError> => {
  const { connection, pipelines } = context
  const bindings = planBindings(launch, plan)
  const offsets = plan.buffers.map(({ offset = 0 }) => offset)
  return Effect.tryPromise({
    try: async () => {
      const pipeline = await pipelines.get(launch.kernel, bindings, code)
      return new Launcher(connection.device, pipeline, bindings, offsets)
    },
    catch: (cause) => {
      const text = cause instanceof Error ? cause.message : String(cause)
      return failure(schedule, launch.kernel.name, context, connection.lost?.message ?? text)
    },
  })
}

/** Compiles all launches at once; the device decides how many at a time. */
const compileLaunches = (schedule: Ir.Schedule, plan: Plan, context: Context) =>
  Effect.gen(function* () {
    const task = `compiling ${schedule.name}`
    const total = plan.launches.length
    const code = context.cache.program(schedule.hash, context.strategy)
    let completed = 0
    const report = Effect.suspend(() =>
      Progress.report({ task, completed: completed++, total, unit: "kernels" }),
    )
    yield* report
    const launchers = yield* Effect.forEach(
      plan.launches,
      (launch) => Effect.tap(compileLaunch(schedule, plan, launch, code, context), report),
      { concurrency: "unbounded" },
    )
    yield* code.save
    return launchers
  })

/** Compiles every kernel of a schedule and sets its memory up. */
export const compile = (
  schedule: Ir.Schedule,
  context: Context,
): Effect.Effect<Executable, CompileError | OutOfMemory | UnsupportedDType, Scope.Scope> =>
  Effect.gen(function* () {
    const { connection, memory, counters } = context
    const problem = checkDTypes(schedule, context)
    if (problem !== undefined) return yield* problem
    const plan = yield* makePlan(schedule, context)
    const launchers = yield* compileLaunches(schedule, plan, context)
    // Pipelines of a lost device seem to work.
    const { lost } = connection
    if (lost !== undefined) {
      return yield* failure(schedule, "the whole program", context, lost.message)
    }
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
    const arena = plan.arenaBytes > 0 ? yield* claim(plan.arenaBytes) : undefined
    const fixed = new Array<GPUBuffer>(plan.buffers.length)
    for (const { id, role, dtype, length, data } of plan.buffers) {
      if (role === "temporary" && arena !== undefined) fixed[id] = arena.gpu
      if (role !== "constant" || data === undefined) continue
      const constant = yield* claim(rangeBytes(dtype, length))
      fixed[id] = constant.gpu
      yield* Effect.mapError(connection.upload(constant.gpu, toDevice(dtype, data)), (lost) =>
        failure(schedule, "its constants", context, lost.message),
      )
    }
    for (const launcher of launchers) launcher.prepare(fixed)
    return { run: makeRun(schedule, plan, launchers, fixed, arena, context) }
  })

/** Longer runs are handed to the device in pieces of so many dispatches. */
const dispatchesAtOnce = 4096

const makeRun = (
  schedule: Ir.Schedule,
  plan: Plan,
  launchers: ReadonlyArray<Launcher>,
  fixed: ReadonlyArray<GPUBuffer>,
  arena: MemoryBuffer | undefined,
  { connection, memory, counters, poison }: Context,
): Executable["run"] => {
  const { device } = connection
  const pairs = copiedPairs(plan)
  const { order } = plan
  const bind = (inputs: ReadonlyArray<DeviceBuffer>, outputs: ReadonlyArray<DeviceBuffer>) => {
    const buffers = [...fixed]
    schedule.inputs.forEach((id, i) => (buffers[id] = (inputs[i] as MemoryBuffer).gpu))
    schedule.outputs.forEach((id, i) => (buffers[id] = (outputs[i] as MemoryBuffer).gpu))
    if (poison) {
      if (arena !== undefined) memory.fillWithNaN(arena)
      for (const output of outputs) {
        if (!inputs.includes(output)) memory.fillWithNaN(output as MemoryBuffer)
      }
    }
    return buffers
  }
  const copyPairs = (encoder: GPUCommandEncoder, buffers: ReadonlyArray<GPUBuffer>): void => {
    for (const { input, output } of pairs) {
      const [from, to] = [buffers[input], buffers[output]]
      const { dtype, length } = schedule.buffers[output]
      if (from !== to) encoder.copyBufferToBuffer(from, 0, to, 0, rangeBytes(dtype, length))
    }
  }
  const encode = (buffers: ReadonlyArray<GPUBuffer>, from: number): GPUCommandBuffer => {
    const encoder = device.createCommandEncoder({ label: schedule.name })
    if (from === 0) copyPairs(encoder, buffers)
    const pass = encoder.beginComputePass()
    const end = Math.min(from + dispatchesAtOnce, order.length)
    for (let at = from; at < end; at++) launchers[order[at]].dispatch(pass, buffers)
    pass.end()
    return encoder.finish()
  }
  /** One submit, or for long loops as many as keep the queue of commands short. */
  const submitFrom = (
    buffers: ReadonlyArray<GPUBuffer>,
    from: number,
  ): Effect.Effect<void, DeviceLost> => {
    const submitted = connection.submit(encode(buffers, from))
    const next = from + dispatchesAtOnce
    return next < order.length
      ? Effect.andThen(
          submitted,
          Effect.suspend(() => submitFrom(buffers, next)),
        )
      : submitted
  }
  return (inputs, outputs) =>
    Effect.andThen(
      connection.check,
      Effect.suspend(() => {
        counters.dispatches += order.length
        return submitFrom(bind(inputs, outputs), 0)
      }),
    )
}
