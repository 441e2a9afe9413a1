import type {
  DeviceInfo,
  DeviceService,
  DType,
  OutOfMemory,
  UnsupportedDType,
} from "@espalier/tensor"
import { byteSize, DeviceUnavailable } from "@espalier/tensor"
import { Effect, Option } from "effect"
import { Connection } from "./connection.ts"
import { CodeCache } from "./code_cache.ts"
import type { Context } from "./executable.ts"
import { compile, unsupported } from "./executable.ts"
import { fromDevice, toDevice } from "./host_data.ts"
import type { MemoryBuffer } from "./memory.ts"
import { Memory } from "./memory.ts"
import type { WebGpuOptions } from "./options.ts"
import { Pipelines } from "./pipelines.ts"
import type { FoundAdapter } from "./provider.ts"
import { describeAdapter, factsOf } from "./provider.ts"
import { navigatorProvider } from "./provider_navigator.ts"
import { nodeProviders } from "./provider_node.ts"
import type { Strategy } from "./templates/strategy.ts"
import { strategyFor } from "./templates/strategy.ts"
import { tune } from "./tuning/tune.ts"

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

const wantedFeatures: ReadonlyArray<GPUFeatureName> = ["shader-f16", "subgroups"]

const connect = (found: FoundAdapter): Effect.Effect<Connection, DeviceUnavailable> =>
  Effect.tryPromise({
    try: async () => {
      const { limits, features } = found.adapter
      const device = await found.adapter.requestDevice({
        requiredFeatures: wantedFeatures.filter((feature) => features.has(feature)),
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

/** What measuring found, now or in an earlier process. */
const tunedStrategy = (base: Strategy, context: Context) =>
  Option.match(context.cache.tuned(base), {
    onSome: Effect.succeed,
    onNone: () =>
      tune(base, context).pipe(
        Effect.tap((found) => context.cache.saveTuned(base, found)),
        Effect.mapError((error) => {
          const lookedFor = [`${context.connection.name} (tuning it: ${error.message})`]
          return new DeviceUnavailable({ device: "WebGPU", lookedFor, hint })
        }),
      ),
  })

/** A connection and all that belongs to it; it ends with the scope. */
export const openContext = Effect.fnUntraced(function* (options: WebGpuOptions) {
  const found = yield* findAdapter(options)
  const connection = yield* Effect.acquireRelease(connect(found), (open) =>
    Effect.sync(() => open.close()),
  )
  options.onDevice?.(connection.device)
  const poison = options.poison ?? false
  const memory = new Memory(connection, poison)
  const base = strategyFor(factsOf(found, connection.device))
  const dtypes: ReadonlyArray<DType> = connection.device.features.has("shader-f16")
    ? ["f32", "f16", "i32", "u32", "bool"]
    : ["f32", "i32", "u32", "bool"]
  const cache = yield* CodeCache.open(options.cacheDirectory, connection.name)
  const contextFor = (strategy: Strategy): Context => ({
    connection,
    memory,
    cache,
    pipelines: new Pipelines(connection, strategy),
    strategy,
    dtypes,
    poison,
    counters: { dispatches: 0, programs: 0 },
  })
  const tuned = options.tune === true ? yield* tunedStrategy(base, contextFor(base)) : {}
  return { base, context: contextFor({ ...base, ...tuned, ...options.override }) }
})

/** The device service over a found adapter; it ends with the scope. */
export const makeDevice = Effect.fnUntraced(function* (options: WebGpuOptions) {
  const { base, context } = yield* openContext(options)
  const { connection, memory, dtypes, counters } = context
  const info: DeviceInfo = {
    kind: "webgpu",
    adapter: connection.name,
    software: base.software,
    dtypes,
    maximumBufferBytes: Math.floor(connection.device.limits.maxBufferSize / 4) * 4,
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
