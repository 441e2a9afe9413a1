import { Device, DeviceUnavailable } from "@espalier/tensor"
import type { Scope } from "effect"
import { Context, Effect, Layer } from "effect"
import { name, WasmDevice } from "./device.ts"
import { DevicePool } from "./device_pool.ts"
import { hasRelaxedSimd, hasSharedMemory, hasSimd } from "./features.ts"
import { Pool } from "./memory.ts"
import { Threads } from "./threads.ts"
import { availableThreads, workersHere } from "./workers.ts"

/** How the device is set up. */
export interface WasmOptions {
  /**
   * Threads to compute with, the calling one included. Default: the available parallelism, at most
   * 4; 1 in a page, where more need cross-origin isolation.
   */
  readonly threads?: number
  /** Fills recycled and fresh memory with NaN bytes. For tests: it costs time. */
  readonly poison?: boolean
  /** Most memory that the device takes, in bytes. Default and largest value: 4 GiB. */
  readonly memoryLimitBytes?: number
  /** Fused multiply-add where the engine has it. Default: true. */
  readonly relaxedSimd?: boolean
}

const addressSpace = 2 ** 32

/** What was asked for or is usual, and is not there: said in the adapter's text. */
const missing = (
  options: WasmOptions,
  wanted: number,
  started: number,
  relaxed: boolean,
): ReadonlyArray<string> => {
  const notes: Array<string> = []
  if (!relaxed && options.relaxedSimd !== false) notes.push("no fused multiply-add here")
  if (started < wanted) {
    const reason = !hasSharedMemory()
      ? "no shared memory here"
      : workersHere() === undefined
        ? "no workers here"
        : "the system started no more"
    notes.push(`${wanted} threads asked for: ${reason}`)
  }
  return notes
}

const unavailable = new DeviceUnavailable({
  device: name,
  lookedFor: ["WebAssembly with 128-bit SIMD"],
  hint: "Use Node 22.19 or a browser of 2023 or later, or the interpreter of @espalier/tensor.",
})

const make = (
  options: WasmOptions,
): Effect.Effect<Context.Context<Device>, DeviceUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    if (!hasSimd()) return yield* unavailable
    const wanted = options.threads ?? availableThreads()
    const startWorker = wanted > 1 && hasSharedMemory() ? workersHere() : undefined
    const pool = new Pool({
      shared: startWorker !== undefined,
      limitBytes: Math.min(options.memoryLimitBytes ?? addressSpace, addressSpace),
      poison: options.poison === true,
    })
    const threads =
      startWorker === undefined
        ? undefined
        : yield* Effect.acquireRelease(
            Effect.sync(() => new Threads(wanted, pool.memory, startWorker)),
            (started) => Effect.promise(() => started.stop()),
          )
    const relaxed = options.relaxedSimd !== false && hasRelaxedSimd()
    const notes = missing(options, wanted, threads?.count ?? 1, relaxed)
    const device = new WasmDevice(pool, threads, options.poison === true, relaxed, notes)
    return Context.make(Device, device).pipe(Context.add(DevicePool, pool))
  })

/**
 * The CPU device: programs run as WebAssembly SIMD code, shared between threads. Results do not
 * depend on the number of threads. What is missing here (threads, fused multiply-add) is said in
 * `info.adapter`.
 *
 * @throws DeviceUnavailable where the engine has no WebAssembly SIMD.
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
export const layer = (options: WasmOptions = {}): Layer.Layer<Device, DeviceUnavailable> =>
  Layer.effectContext(make(options))
