import type {
  DeviceInfo,
  DeviceService,
  DType,
  OutOfMemory,
  UnsupportedDType,
} from "@espalier/tensor"
import { byteSize, DeviceUnavailable } from "@espalier/tensor"
import { Effect } from "effect"
import { Connection } from "./connection.ts"
import { compile, unsupported } from "./executable.ts"
import { fromDevice, toDevice } from "./host_data.ts"
import type { MemoryBuffer } from "./memory.ts"
import { Memory } from "./memory.ts"
import type { WebGpuOptions } from "./options.ts"
import { Pipelines } from "./pipelines.ts"
import type { FoundAdapter } from "./provider.ts"
import { describeAdapter, isSoftware } from "./provider.ts"
import { navigatorProvider } from "./provider_navigator.ts"
import { nodeProviders } from "./provider_node.ts"
import { strategyFor } from "./templates/strategy.ts"

const hint =
  "Install a GPU driver with Vulkan, Metal or D3D12 and `npm i webgpu`; without a GPU, " +
  "a software driver (Debian: mesa-vulkan-drivers) runs the same programs slowly, " +
  "and @espalier/wasm needs nothing."

/** Asks every provider in turn. */
export const findAdapter = (
  options: WebGpuOptions,
): Effect.Effect<FoundAdapter, DeviceUnavailable> =>
  Effect.gen(function* () {
    const lookedFor: Array<string> = []
    for (const provider of [navigatorProvider, ...nodeProviders]) {
      const found = yield* Effect.promise(() => provider.find(options))
      if (typeof found !== "string") return found
      lookedFor.push(`${provider.name} (${found})`)
    }
    return yield* new DeviceUnavailable({ device: "WebGPU", lookedFor, hint })
  })

const connect = (found: FoundAdapter): Effect.Effect<Connection, DeviceUnavailable> =>
  Effect.tryPromise({
    try: async () => {
      const { limits, features } = found.adapter
      const device = await found.adapter.requestDevice({
        requiredFeatures: features.has("shader-f16") ? ["shader-f16"] : [],
        requiredLimits: {
          maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
          maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
          maxBufferSize: limits.maxBufferSize,
          maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
          maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
          maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
        },
      })
      return new Connection(device, describeAdapter(found))
    },
    catch: (cause) => {
      const text = cause instanceof Error ? cause.message.split("\n")[0] : String(cause)
      const lookedFor = [`${describeAdapter(found)} (refused a device: ${text})`]
      return new DeviceUnavailable({ device: "WebGPU", lookedFor, hint })
    },
  })

/** The device service over a found adapter; it ends with the scope. */
export const makeDevice = Effect.fnUntraced(function* (options: WebGpuOptions) {
  const found = yield* findAdapter(options)
  const connection = yield* Effect.acquireRelease(connect(found), (open) =>
    Effect.sync(() => open.close()),
  )
  const { limits, features } = connection.device
  const poison = options.poison ?? false
  const memory = new Memory(connection, poison)
  const software = isSoftware(found.adapter)
  const strategy = {
    ...strategyFor(software, limits.maxComputeInvocationsPerWorkgroup),
    ...options.override,
  }
  const dtypes: ReadonlyArray<DType> = features.has("shader-f16")
    ? ["f32", "f16", "i32", "u32", "bool"]
    : ["f32", "i32", "u32", "bool"]
  const whole = (bytes: number) => Math.floor(bytes / 4) * 4
  const info: DeviceInfo = {
    kind: "webgpu",
    adapter: connection.name,
    software,
    dtypes,
    maximumBufferBytes: whole(Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize)),
  }
  const counters = { dispatches: 0, programs: 0 }
  const context = {
    connection,
    memory,
    pipelines: new Pipelines(connection, strategy),
    dtypes,
    maximumBytes: info.maximumBufferBytes,
    poison,
    counters,
  }
  const service: DeviceService = {
    info,
    allocate: (dtype, length) =>
      Effect.suspend((): Effect.Effect<MemoryBuffer, OutOfMemory | UnsupportedDType> => {
        if (!dtypes.includes(dtype)) return unsupported(dtype, connection)
        return memory.allocate(length * byteSize(dtype), info.maximumBufferBytes)
      }),
    write: (buffer, dtype, data) =>
      Effect.andThen(
        connection.check,
        Effect.suspend(() =>
          connection.upload((buffer as MemoryBuffer).gpu, toDevice(dtype, data)),
        ),
      ),
    read: (buffer, dtype, length) =>
      connection.check.pipe(
        Effect.andThen(memory.read(buffer as MemoryBuffer, length * byteSize(dtype))),
        Effect.map((bytes) => fromDevice(dtype, bytes, length)),
      ),
    free: (buffer) => memory.free(buffer as MemoryBuffer),
    compile: (schedule) => compile(schedule, context),
    statistics: () => ({ ...counters, liveBytes: memory.liveBytes }),
  }
  return service
})
