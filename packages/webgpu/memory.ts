import type { DeviceBuffer, DeviceLost } from "@espalier/tensor"
import { OutOfMemory } from "@espalier/tensor"
import { Effect } from "effect"
import type { Connection } from "./connection.ts"

/** A buffer that somebody owns. `gpu` may be larger than `bytes`. */
export class MemoryBuffer implements DeviceBuffer {
  readonly bytes: number
  readonly gpu: GPUBuffer
  isFree = false

  constructor(bytes: number, gpu: GPUBuffer) {
    this.bytes = bytes
    this.gpu = gpu
  }
}

/** The numbers of `GPUBufferUsage` and `GPUMapMode`, which are globals in browsers only. */
export const usage = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128 } as const

const stored = usage.storage | usage.copySource | usage.copyTarget
const staging = usage.mapRead | usage.copyTarget

/** Unused buffers beyond so many bytes are destroyed. */
const pooledBytesLimit = 2 ** 28
/** From here on, creating a buffer waits to hear whether the memory was there. */
const largeBytes = 2 ** 24

/** Rounds up to a quarter of a power of two: four classes an octave, at least 256 bytes. */
export const sizeClass = (bytes: number): number => {
  if (bytes <= 256) return 256
  const quarter = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2)
  return Math.ceil(bytes / quarter) * quarter
}

/** Buffers of a device, recycled by size class. Commands run in order, so reuse needs no waiting. */
export class Memory {
  readonly #connection: Connection
  readonly #pools = new Map<string, Array<GPUBuffer>>()
  /** In which order buffers were made. */
  readonly #ages = new WeakMap<GPUBuffer, number>()
  #made = 0
  readonly #poison: boolean
  #pooledBytes = 0
  #liveBytes = 0

  constructor(connection: Connection, poison: boolean) {
    this.#connection = connection
    this.#poison = poison
  }

  get liveBytes(): number {
    return this.#liveBytes
  }

  #tooLarge(bytes: number, limit: number): OutOfMemory {
    return new OutOfMemory({
      device: this.#connection.name,
      requestedBytes: bytes,
      limitBytes: limit,
      hint:
        bytes > limit
          ? "Split the array, or use a device without this limit (wasm)."
          : "Free arrays that are no longer needed, or use a smaller batch.",
    })
  }

  /** The oldest: a loop that swaps buffers then gets the same ones in every other round. */
  #take(size: number, flags: number): GPUBuffer | undefined {
    const found = this.#pools.get(`${flags} ${size}`)?.pop()
    if (found !== undefined) this.#pooledBytes -= size
    return found
  }

  #give(buffer: GPUBuffer): void {
    if (this.#pooledBytes + buffer.size > pooledBytesLimit) {
      buffer.destroy()
      return
    }
    const key = `${buffer.usage} ${buffer.size}`
    const pool = this.#pools.get(key) ?? []
    if (pool.length === 0) this.#pools.set(key, pool)
    // The oldest lies last.
    const age = this.#ageOf(buffer)
    let at = pool.length
    while (at > 0 && this.#ageOf(pool[at - 1]) < age) at--
    pool.splice(at, 0, buffer)
    this.#pooledBytes += buffer.size
  }

  #ageOf(buffer: GPUBuffer): number {
    const known = this.#ages.get(buffer)
    if (known !== undefined) return known
    this.#ages.set(buffer, this.#made)
    return this.#made++
  }

  #create(bytes: number, size: number): Effect.Effect<GPUBuffer, OutOfMemory> {
    const { device } = this.#connection
    if (size < largeBytes) {
      return Effect.sync(() => device.createBuffer({ size, usage: stored }))
    }
    return Effect.gen({ self: this }, function* () {
      device.pushErrorScope("out-of-memory")
      const buffer = device.createBuffer({ size, usage: stored })
      const popped = device.popErrorScope()
      // Of a lost device nothing is heard; the next run or read says so.
      const error = yield* this.#connection
        .wait(() => popped)
        .pipe(Effect.catchTag("DeviceLost", () => Effect.succeed(null)))
      if (error === null) return buffer
      return yield* this.#tooLarge(bytes, device.limits.maxBufferSize)
    })
  }

  /** Memory for `bytes`, at most `limit`. */
  allocate(bytes: number, limit: number): Effect.Effect<MemoryBuffer, OutOfMemory> {
    return Effect.gen({ self: this }, function* () {
      if (bytes > limit) return yield* this.#tooLarge(bytes, limit)
      const { maxBufferSize } = this.#connection.device.limits
      const size = Math.min(sizeClass(bytes), Math.floor(maxBufferSize / 4) * 4)
      const gpu = this.#take(size, stored) ?? (yield* this.#create(bytes, size))
      this.#liveBytes += bytes
      const buffer = new MemoryBuffer(bytes, gpu)
      if (this.#poison) this.fillWithNaN(buffer)
      return buffer
    })
  }

  /** All bits set: NaN as a float, an index out of range as an integer. */
  fillWithNaN(buffer: MemoryBuffer): void {
    const size = Math.ceil(buffer.bytes / 4) * 4
    this.#connection.device.queue.writeBuffer(buffer.gpu, 0, new Uint8Array(size).fill(255))
  }

  free(buffer: MemoryBuffer): void {
    if (buffer.isFree) return
    buffer.isFree = true
    this.#liveBytes -= buffer.bytes
    this.#give(buffer.gpu)
  }

  /** The first `bytes` of a buffer, copied to the host. */
  read(buffer: MemoryBuffer, bytes: number): Effect.Effect<ArrayBuffer, DeviceLost> {
    return Effect.gen({ self: this }, function* () {
      if (bytes === 0) return new ArrayBuffer(0)
      const { device } = this.#connection
      const size = Math.ceil(bytes / 4) * 4
      const rounded = sizeClass(size)
      const target =
        this.#take(rounded, staging) ?? device.createBuffer({ size: rounded, usage: staging })
      const encoder = device.createCommandEncoder()
      encoder.copyBufferToBuffer(buffer.gpu, 0, target, 0, size)
      yield* this.#connection.submit(encoder.finish())
      yield* this.#connection.wait(() => target.mapAsync(1, 0, size))
      const copy = target.getMappedRange(0, size).slice(0)
      target.unmap()
      this.#give(target)
      yield* this.#connection.check
      return copy
    })
  }
}
