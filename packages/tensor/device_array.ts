import { Effect, Scope } from "effect"
import type { DeviceBuffer, DeviceService } from "./device.ts"
import { Device } from "./device.ts"
import type { DType } from "./dtype.ts"
import type { DeviceLost, OutOfMemory, UnsupportedDType } from "./errors.ts"
import { ArrayGone } from "./errors.ts"
import type { HostArray } from "./host_array.ts"
import type { Shape } from "./shape.ts"
import { sizeOf } from "./shape.ts"
import type { Mapped } from "./tree.ts"
import * as Tree from "./tree.ts"

/**
 * An array in the memory of a device. It belongs to the scope in which it was made and is freed
 * with it, unless a program takes it over (`donate`) or {@link release} frees it earlier.
 */
export class DeviceArray {
  readonly shape: Shape
  readonly dtype: DType
  readonly device: DeviceService
  /** The memory; opaque to everybody but the device. */
  readonly buffer: DeviceBuffer
  /** Why the array can no longer be used, or `undefined` while it can. */
  gone: string | undefined
  readonly #owner: Set<DeviceArray>

  constructor(
    device: DeviceService,
    buffer: DeviceBuffer,
    shape: Shape,
    dtype: DType,
    owner: Set<DeviceArray>,
  ) {
    this.device = device
    this.buffer = buffer
    this.shape = shape
    this.dtype = dtype
    this.#owner = owner
    owner.add(this)
  }

  /** Marks the array as unusable without freeing its memory. */
  leave(reason: string): void {
    this.gone = reason
    this.#owner.delete(this)
  }
}

const owners = new WeakMap<Scope.Scope, Set<DeviceArray>>()

/** The arrays that live and die with a scope: one finalizer for all, so long loops do not pile up. */
export const ownerOf = (scope: Scope.Scope): Effect.Effect<Set<DeviceArray>> =>
  Effect.suspend(() => {
    const known = owners.get(scope)
    if (known !== undefined) return Effect.succeed(known)
    const owned = new Set<DeviceArray>()
    owners.set(scope, owned)
    const free = Effect.sync(() => {
      for (const array of owned) {
        array.leave("its scope was closed")
        array.device.free(array.buffer)
      }
    })
    return Effect.as(Scope.addFinalizer(scope, free), owned)
  })

/** What using an array fails with that was donated, released or outlived its scope. */
export const goneError = ({ shape, gone }: DeviceArray): ArrayGone =>
  new ArrayGone({
    shape,
    reason: gone ?? "it is gone",
    hint: "Use the array that the program returned, or do not donate this one.",
  })

/**
 * Copies a host array into device memory. The array belongs to the current scope.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { DeviceArray, HostArray, Interpreter } from "@espalier/tensor"
 *
 * const there = Effect.gen(function* () {
 *   const array = yield* DeviceArray.fromHost(HostArray.make([2], [1, 2]))
 *   return yield* DeviceArray.toArray(array)
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))
 * console.log(await Effect.runPromise(there)) // [ 1, 2 ]
 * ```
 */
export const fromHost = Effect.fn("DeviceArray.fromHost")(function* (
  array: HostArray,
): Effect.fn.Return<
  DeviceArray,
  OutOfMemory | UnsupportedDType | DeviceLost,
  Device | Scope.Scope
> {
  const device = yield* Device
  const owner = yield* ownerOf(yield* Scope.Scope)
  const buffer = yield* device.allocate(array.dtype, sizeOf(array.shape))
  const made = new DeviceArray(device, buffer, array.shape, array.dtype, owner)
  yield* device.write(buffer, array.dtype, array.data)
  return made
})

/** Copies a whole tree of host arrays into device memory. */
export const fromHostTree = <T>(
  tree: T,
): Effect.Effect<
  Mapped<T, HostArray, DeviceArray>,
  OutOfMemory | UnsupportedDType | DeviceLost,
  Device | Scope.Scope
> =>
  Effect.map(Effect.forEach(Tree.leaves<HostArray>(tree), fromHost), (arrays) =>
    Tree.fill<HostArray, DeviceArray, T>(tree, arrays),
  )

/** Copies an array back into host memory. */
export const toHost = Effect.fn("DeviceArray.toHost")(function* (
  array: DeviceArray,
): Effect.fn.Return<HostArray, ArrayGone | DeviceLost> {
  if (array.gone !== undefined) return yield* goneError(array)
  const data = yield* array.device.read(array.buffer, array.dtype, sizeOf(array.shape))
  return { shape: array.shape, dtype: array.dtype, data }
})

/** Copies a whole tree back into host memory. */
export const toHostTree = <T>(
  tree: T,
): Effect.Effect<Mapped<T, DeviceArray, HostArray>, ArrayGone | DeviceLost> =>
  Effect.map(Effect.forEach(Tree.leaves<DeviceArray>(tree), toHost), (arrays) =>
    Tree.fill<DeviceArray, HostArray, T>(tree, arrays),
  )

/** The values of an array as plain numbers, in row-major order. */
export const toArray = (array: DeviceArray): Effect.Effect<Array<number>, ArrayGone | DeviceLost> =>
  Effect.map(toHost(array), ({ data }) => Array.from(data))

/** Frees the arrays of a tree now instead of at the end of their scope. */
export const release = (tree: unknown): void => {
  for (const array of Tree.leaves<DeviceArray>(tree)) {
    if (!(array instanceof DeviceArray) || array.gone !== undefined) continue
    array.leave("it was released")
    array.device.free(array.buffer)
  }
}
