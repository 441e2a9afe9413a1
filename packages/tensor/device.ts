import type { Effect, Scope } from "effect"
import { Context } from "effect"
import type { DType, HostData } from "./dtype.ts"
import type { CompileError, DeviceLost, OutOfMemory, UnsupportedDType } from "./errors.ts"
import type { Schedule } from "./ir/schedule.ts"

/** What a device is. `software` is true for a GPU driver that runs on the CPU. */
export interface DeviceInfo {
  readonly kind: "interpreter" | "wasm" | "webgpu"
  readonly adapter: string
  readonly software: boolean
  readonly dtypes: ReadonlyArray<DType>
  /** Bytes of the largest single buffer. */
  readonly maximumBufferBytes: number
}

/** Counters since the device was made. */
export interface DeviceStatistics {
  /** Kernels started. */
  readonly dispatches: number
  /** Bytes held by buffers and arenas right now. */
  readonly liveBytes: number
  /** Programs compiled and still held. */
  readonly programs: number
}

/** A buffer of a device, opaque to everybody else. Freed by {@link DeviceService.free}. */
export interface DeviceBuffer {
  readonly bytes: number
}

/** A compiled schedule. Buffers are given in the order of `schedule.inputs` and `schedule.outputs`. */
export interface Executable {
  /**
   * Runs every step once. The output buffers are written whole. An output may be the very buffer
   * of the input that `schedule.inPlace` pairs it with; otherwise the device copies first.
   */
  readonly run: (
    inputs: ReadonlyArray<DeviceBuffer>,
    outputs: ReadonlyArray<DeviceBuffer>,
  ) => Effect.Effect<void, DeviceLost | OutOfMemory>
}

export interface DeviceService {
  readonly info: DeviceInfo
  /** Memory for `length` elements of `dtype`; its content is undefined. */
  readonly allocate: (
    dtype: DType,
    length: number,
  ) => Effect.Effect<DeviceBuffer, OutOfMemory | UnsupportedDType>
  readonly write: (
    buffer: DeviceBuffer,
    dtype: DType,
    data: HostData,
  ) => Effect.Effect<void, DeviceLost>
  readonly read: (
    buffer: DeviceBuffer,
    dtype: DType,
    length: number,
  ) => Effect.Effect<HostData, DeviceLost>
  /** Gives memory back. Once for each buffer; work already submitted may still use it. */
  readonly free: (buffer: DeviceBuffer) => void
  /** The executable and its arena belong to the scope. Compiled kernels are shared between programs. */
  readonly compile: (
    schedule: Schedule,
  ) => Effect.Effect<Executable, CompileError | OutOfMemory | UnsupportedDType, Scope.Scope>
  readonly statistics: () => DeviceStatistics
}

/**
 * The place where programs run. `@espalier/wasm` and `@espalier/webgpu` provide it, and so does
 * the `f64` `Interpreter` of this package.
 */
export class Device extends Context.Service<Device, DeviceService>()("@espalier/tensor/Device") {}
