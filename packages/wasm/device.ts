import type { DeviceBuffer, DeviceService, DType, Executable, HostData } from "@espalier/tensor"
import {
  byteSize,
  CompileError,
  Device,
  DeviceLost,
  Ir,
  OutOfMemory,
  UnsupportedDType,
} from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect, Layer } from "effect"
import { hasRelaxedSimd, hasSharedMemory } from "./features.ts"
import type { LoadedKernel } from "./kernels.ts"
import { KernelCache } from "./kernels.ts"
import { Pool } from "./memory.ts"
import { availableThreads, hasWorkers, Threads, ThreadsLost } from "./threads.ts"
import type { Needs } from "./workspace.ts"
import { Workspace } from "./workspace.ts"

/** How the device is set up. */
export interface WasmOptions {
  /**
   * Threads to compute with, the calling one included. Default: the available parallelism, at most
   * 4; 1 where there are no worker threads (browsers, for now).
   */
  readonly threads?: number
  /** Fills recycled and fresh memory with NaN bytes. For tests: it costs time. */
  readonly poison?: boolean
  /** Most memory that the device takes, in bytes. Default and largest value: 4 GiB. */
  readonly memoryLimitBytes?: number
  /** Fused multiply-add where the engine has it. Default: true. */
  readonly relaxedSimd?: boolean
}

const name = "wasm"
const dtypes: ReadonlyArray<DType> = ["f32", "i32", "u32", "bool"]
const addressSpace = 2 ** 32

interface Block extends DeviceBuffer {
  readonly address: number
}

interface Step {
  readonly kernel: LoadedKernel
  readonly buffers: ReadonlyArray<number>
}

class WasmDevice implements DeviceService {
  readonly info: DeviceService["info"]
  readonly #pool: Pool
  readonly #threads: Threads | undefined
  readonly #kernels: KernelCache
  readonly #workspace: Workspace
  readonly #poison: boolean
  #dispatches = 0
  #programs = 0

  constructor(pool: Pool, threads: Threads | undefined, poison: boolean, relaxed: boolean) {
    this.#pool = pool
    this.#threads = threads
    this.#poison = poison
    this.#workspace = new Workspace(pool)
    const target = {
      relaxed,
      shared: pool.shared,
      maximumPages: pool.limitBytes / 65536,
    }
    this.#kernels = new KernelCache(target, pool.memory, (id) => threads?.forget(id))
    const count = threads?.count ?? 1
    this.info = {
      kind: "wasm",
      adapter: `WebAssembly SIMD${relaxed ? " (relaxed)" : ""}, ${count} thread${count === 1 ? "" : "s"}`,
      software: false,
      dtypes,
      maximumBufferBytes: pool.limitBytes - 65536,
    }
  }

  readonly allocate: DeviceService["allocate"] = (dtype, length) =>
    Effect.suspend((): Effect.Effect<Block, OutOfMemory | UnsupportedDType> => {
      const unsupported = this.#refuse(dtype)
      if (unsupported !== undefined) return Effect.fail(unsupported)
      const bytes = byteSize(dtype) * length
      const block = this.#claim(bytes)
      return block === undefined ? Effect.fail(this.#full(bytes)) : Effect.succeed(block)
    })

  readonly write: DeviceService["write"] = (buffer, dtype, data) =>
    Effect.sync(() => this.#view((buffer as Block).address, dtype, data.length).set(data))

  readonly read: DeviceService["read"] = (buffer, dtype, length) =>
    Effect.sync(() => {
      const view = this.#view((buffer as Block).address, dtype, length)
      // `slice` of shared memory would be shared too.
      const copy = new (view.constructor as new (length: number) => HostData)(length)
      copy.set(view)
      return copy
    })

  readonly free: DeviceService["free"] = (buffer) => this.#pool.free((buffer as Block).address)

  readonly compile: DeviceService["compile"] = (schedule) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.suspend(() => this.#load(schedule)),
        (loaded) => Effect.sync(() => this.#unload(loaded)),
      ),
      (loaded): Executable => ({ run: (inputs, outputs) => this.#run(loaded, inputs, outputs) }),
    )

  readonly statistics: DeviceService["statistics"] = () => ({
    dispatches: this.#dispatches,
    liveBytes: this.#pool.liveBytes,
    programs: this.#programs,
  })

  #refuse(dtype: DType): UnsupportedDType | undefined {
    if (dtypes.includes(dtype)) return undefined
    const hint = `Convert to one of ${dtypes.join(", ")}, or use the interpreter.`
    return new UnsupportedDType({ dtype, device: name, hint })
  }

  #full(requestedBytes: number): OutOfMemory {
    const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`
    return new OutOfMemory({
      device: name,
      requestedBytes,
      limitBytes: this.#pool.limitBytes,
      hint: `${megabytes(this.#pool.liveBytes)} are in use. Free arrays, use smaller batches, or run on webgpu.`,
    })
  }

  #claim(bytes: number): Block | undefined {
    const address = this.#pool.allocate(bytes)
    if (address === undefined) return undefined
    return { bytes, address }
  }

  #view(address: number, dtype: DType, length: number): HostData {
    const { buffer } = this.#pool.memory
    switch (dtype) {
      case "i32":
        return new Int32Array(buffer, address, length)
      case "u32":
      case "bool":
        return new Uint32Array(buffer, address, length)
      default:
        return new Float32Array(buffer, address, length)
    }
  }

  #load(
    schedule: Ir.Schedule,
  ): Effect.Effect<Loaded, CompileError | OutOfMemory | UnsupportedDType> {
    for (const buffer of schedule.buffers) {
      const unsupported = this.#refuse(buffer.dtype)
      if (unsupported !== undefined) return Effect.fail(unsupported)
    }
    const steps: Array<Step> = []
    const constants = new Map<number, Block>()
    const giveBack = (): void => {
      for (const { kernel } of steps) this.#kernels.release(kernel)
      for (const block of constants.values()) this.free(block)
    }
    for (const { kernel, buffers } of schedule.steps) {
      // Nothing is written: nothing to do.
      if (Ir.outputExtents(kernel).includes(0)) continue
      try {
        steps.push({ kernel: this.#kernels.acquire(Ir.printKernel(kernel), kernel), buffers })
      } catch (error) {
        giveBack()
        const problem = error instanceof Error ? error.message : String(error)
        const failure = { program: schedule.name, kernel: kernel.name, device: name, problem }
        return Effect.fail(new CompileError(failure))
      }
    }
    for (const { id, dtype, length, data } of schedule.buffers) {
      if (data === undefined) continue
      const block = this.#claim(byteSize(dtype) * length)
      if (block === undefined) {
        giveBack()
        return Effect.fail(this.#full(byteSize(dtype) * length))
      }
      constants.set(id, block)
      this.#view(block.address, dtype, length).set(data)
    }
    const threads = this.#threads?.count ?? 1
    const code = steps.map((step) => step.kernel.code)
    const scratchBytes = Math.max(0, ...code.map((kernel) => kernel.scratchBytes))
    const sharedBytes = Math.max(0, ...code.map((kernel) => kernel.sharedBytes))
    const needs: Needs = {
      arena: schedule.arenaBytes,
      scratch: scratchBytes * threads + sharedBytes,
    }
    if (!this.#workspace.add(needs)) {
      giveBack()
      return Effect.fail(this.#full(needs.arena + needs.scratch))
    }
    this.#programs++
    return Effect.succeed({ schedule, steps, constants, needs, scratchBytes, giveBack })
  }

  #unload(loaded: Loaded): void {
    this.#programs--
    this.#workspace.remove(loaded.needs)
    loaded.giveBack()
  }

  /** Addresses of all buffers of a schedule for one run. */
  #addresses(
    { schedule, constants }: Loaded,
    inputs: ReadonlyArray<Block>,
    outputs: ReadonlyArray<Block>,
  ): Array<number> {
    const addresses: Array<number> = []
    for (const { id, offset } of schedule.buffers) {
      addresses[id] = constants.get(id)?.address ?? this.#workspace.arena + (offset ?? 0)
    }
    for (const [i, id] of schedule.inputs.entries()) addresses[id] = inputs[i].address
    for (const [i, id] of schedule.outputs.entries()) addresses[id] = outputs[i].address
    return addresses
  }

  /** Inputs whose memory an output takes over although the program does not update them in place. */
  #overwritten(
    schedule: Ir.Schedule,
    inputs: ReadonlyArray<Block>,
    outputs: ReadonlyArray<Block>,
  ): ReadonlyArray<number> {
    return inputs.flatMap((input, i) => {
      const taken = outputs.some(
        (output, o) =>
          output.address === input.address &&
          !schedule.inPlace.some(
            (pair) => pair.input === schedule.inputs[i] && pair.output === schedule.outputs[o],
          ),
      )
      return taken ? [i] : []
    })
  }

  #run(
    loaded: Loaded,
    givenInputs: ReadonlyArray<DeviceBuffer>,
    givenOutputs: ReadonlyArray<DeviceBuffer>,
  ): Effect.Effect<void, DeviceLost | OutOfMemory> {
    return Effect.suspend((): Effect.Effect<void, DeviceLost | OutOfMemory> => {
      const { schedule, steps } = loaded
      const inputs = [...(givenInputs as ReadonlyArray<Block>)]
      const outputs = givenOutputs as ReadonlyArray<Block>
      const copies: Array<Block> = []
      for (const i of this.#overwritten(schedule, inputs, outputs)) {
        const { address, bytes } = inputs[i]
        const copy = this.#claim(bytes)
        if (copy === undefined) {
          for (const made of copies) this.free(made)
          return Effect.fail(this.#full(bytes))
        }
        copies.push(copy)
        inputs[i] = copy
        new Uint8Array(this.#pool.memory.buffer).copyWithin(copy.address, address, address + bytes)
      }
      if (this.#poison) this.#poisonBefore(loaded, inputs, outputs)
      try {
        this.#threads?.check()
        const addresses = this.#addresses(loaded, inputs, outputs)
        for (const { kernel, buffers } of steps) {
          this.#dispatch(
            loaded,
            kernel,
            buffers.map((id) => addresses[id]),
          )
        }
        return Effect.void
      } catch (error) {
        return Effect.fail(lost(error))
      } finally {
        for (const made of copies) this.free(made)
      }
    })
  }

  #poisonBefore(
    { schedule }: Loaded,
    inputs: ReadonlyArray<Block>,
    outputs: ReadonlyArray<Block>,
  ): void {
    if (schedule.arenaBytes > 0) this.#pool.poison(this.#workspace.arena, schedule.arenaBytes)
    for (const { address, bytes } of outputs) {
      if (!inputs.some((input) => input.address === address)) this.#pool.poison(address, bytes)
    }
  }

  #dispatch(loaded: Loaded, kernel: LoadedKernel, bases: ReadonlyArray<number>): void {
    this.#dispatches++
    const { scratch } = this.#workspace
    const shared = scratch + loaded.scratchBytes * (this.#threads?.count ?? 1)
    for (const [index, stage] of kernel.code.stages.entries()) {
      if (this.#threads?.pays(stage) === true) {
        this.#threads.run(kernel, index, scratch, loaded.scratchBytes, shared, bases)
      } else kernel.functions[index](0, stage.extent, scratch, shared, ...bases)
    }
  }
}

interface Loaded {
  readonly schedule: Ir.Schedule
  readonly steps: ReadonlyArray<Step>
  readonly constants: ReadonlyMap<number, Block>
  readonly needs: Needs
  readonly scratchBytes: number
  readonly giveBack: () => void
}

const lost = (error: unknown): DeviceLost =>
  new DeviceLost({
    device: name,
    problem: error instanceof Error ? error.message : String(error),
    hint:
      error instanceof ThreadsLost
        ? "Make the device anew; with { threads: 1 } it needs no workers."
        : "This is a defect in the device: please report the program that shows it.",
  })

const make = (options: WasmOptions): Effect.Effect<DeviceService, never, Scope.Scope> =>
  Effect.gen(function* () {
    const wanted = options.threads ?? availableThreads()
    const shared = wanted > 1 && hasWorkers() && hasSharedMemory()
    const pool = new Pool({
      shared,
      limitBytes: Math.min(options.memoryLimitBytes ?? addressSpace, addressSpace),
      poison: options.poison === true,
    })
    const threads = shared
      ? yield* Effect.acquireRelease(
          Effect.sync(() => Threads.start(wanted, pool.memory)),
          (started) => Effect.promise(async () => started?.stop()),
        )
      : undefined
    const relaxed = options.relaxedSimd !== false && hasRelaxedSimd()
    return new WasmDevice(pool, threads, options.poison === true, relaxed)
  })

/**
 * The CPU device: programs run as WebAssembly SIMD code, shared between threads. Results do not
 * depend on the number of threads.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Device } from "@espalier/tensor"
 * import * as Wasm from "@espalier/wasm"
 *
 * const adapter = await Effect.runPromise(
 *   Effect.map(Device, (device) => device.info.adapter).pipe(Effect.provide(Wasm.layer())),
 * )
 * ```
 */
export const layer = (options: WasmOptions = {}): Layer.Layer<Device> =>
  Layer.effect(Device, make(options))
