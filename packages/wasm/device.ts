import type { DeviceBuffer, DeviceService, DType, Executable, HostData } from "@espalier/tensor"
import {
  byteSize,
  CompileError,
  DeviceLost,
  Ir,
  OutOfMemory,
  UnsupportedDType,
} from "@espalier/tensor"
import { Effect } from "effect"
import { hasCode } from "./custom.ts"
import type { Target } from "./emitter.ts"
import type { LoadedKernel } from "./kernels.ts"
import { KernelCache } from "./kernels.ts"
import { LoadedProgram } from "./loaded_program.ts"
import type { Pool } from "./memory.ts"
import type { Threads } from "./threads.ts"
import { ThreadsLost } from "./threads.ts"
import type { Needs } from "./workspace.ts"
import { Workspace } from "./workspace.ts"

export const name = "wasm"
const dtypes: ReadonlyArray<DType> = ["f32", "i32", "u32", "bool"]

interface Block extends DeviceBuffer {
  readonly address: number
}

/** The CPU device over one memory. */
export class WasmDevice implements DeviceService {
  readonly info: DeviceService["info"]
  readonly #pool: Pool
  readonly #threads: Threads | undefined
  readonly #target: Target
  readonly #kernels: KernelCache
  readonly #workspace: Workspace
  readonly #poison: boolean
  #dispatches = 0
  #programs = 0

  constructor(
    pool: Pool,
    threads: Threads | undefined,
    poison: boolean,
    relaxed: boolean,
    notes: ReadonlyArray<string>,
  ) {
    this.#pool = pool
    this.#threads = threads
    this.#poison = poison
    this.#workspace = new Workspace(pool)
    const target: Target = {
      relaxed,
      shared: pool.shared,
      maximumPages: pool.limitBytes / 65536,
    }
    this.#target = target
    this.#kernels = new KernelCache(target, pool.memory, (id) => threads?.forget(id))
    const count = threads?.count ?? 1
    this.info = {
      kind: "wasm",
      adapter: [
        `WebAssembly SIMD${relaxed ? " (relaxed)" : ""}, ${count} thread${count === 1 ? "" : "s"}`,
        ...notes,
      ].join("; "),
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
    const { limitBytes, liveBytes } = this.#pool
    const remedy = "use smaller batches, or run on webgpu."
    return new OutOfMemory({
      device: name,
      requestedBytes,
      limitBytes,
      hint:
        requestedBytes > limitBytes
          ? `One WebAssembly memory holds ${megabytes(limitBytes)} in all. Split the array, ${remedy}`
          : `${megabytes(liveBytes)} are in use. Free arrays, ${remedy}`,
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

  #load(given: Ir.Schedule): Effect.Effect<Loaded, CompileError | OutOfMemory | UnsupportedDType> {
    const schedule = Ir.expandCustom(given, (kernel) => hasCode(kernel, this.#target))
    for (const buffer of schedule.buffers) {
      const unsupported = this.#refuse(buffer.dtype)
      if (unsupported !== undefined) return Effect.fail(unsupported)
    }
    const kernels: Array<LoadedKernel | undefined> = []
    const constants = new Map<number, Block>()
    const giveBack = (): void => {
      for (const kernel of kernels) if (kernel !== undefined) this.#kernels.release(kernel)
      for (const block of constants.values()) this.free(block)
    }
    for (const { kernel } of schedule.steps) {
      // Nothing is written: nothing to do.
      if (Ir.outputExtents(kernel).includes(0)) {
        kernels.push(undefined)
        continue
      }
      try {
        kernels.push(this.#kernels.acquire(Ir.printKernel(kernel), kernel))
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
    const code = kernels.flatMap((kernel) => kernel?.code ?? [])
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
    const addresses = new Map([...constants].map(([id, { address }]) => [id, address]))
    const program = new LoadedProgram(schedule, kernels, addresses, this.#threads)
    return Effect.succeed({ schedule, program, needs, scratchBytes, giveBack })
  }

  #unload(loaded: Loaded): void {
    this.#programs--
    this.#workspace.remove(loaded.needs)
    loaded.giveBack()
  }

  #run(
    loaded: Loaded,
    givenInputs: ReadonlyArray<DeviceBuffer>,
    givenOutputs: ReadonlyArray<DeviceBuffer>,
  ): Effect.Effect<void, DeviceLost | OutOfMemory> {
    return Effect.suspend((): Effect.Effect<void, DeviceLost | OutOfMemory> => {
      const { program, scratchBytes } = loaded
      const inputs = [...(givenInputs as ReadonlyArray<Block>)]
      const outputs = givenOutputs as ReadonlyArray<Block>
      const copies: Array<Block> = []
      for (const i of program.overwritten(inputs, outputs)) {
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
        this.#dispatches += program.dispatches
        const { arena, scratch } = this.#workspace
        const shared = scratch + scratchBytes * (this.#threads?.count ?? 1)
        const places = { arena, scratch, shared }
        program.run(places, inputs, outputs, this.#threads, scratchBytes)
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
}

interface Loaded {
  readonly schedule: Ir.Schedule
  readonly program: LoadedProgram
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
