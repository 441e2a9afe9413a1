/** A stretch of free memory. */
interface Free {
  readonly address: number
  readonly bytes: number
}

const pageBytes = 65536
const alignment = 256

/** Rounds a size up to its class: eight classes an octave, so that freed blocks fit again. */
export const sizeClass = (bytes: number): number => {
  const least = Math.max(alignment, Math.ceil(bytes / alignment) * alignment)
  const step = Math.max(alignment, 2 ** (Math.floor(Math.log2(least)) - 3))
  return Math.ceil(least / step) * step
}

/**
 * One growing WebAssembly memory, handed out in blocks. Sizes are rounded to classes, free
 * neighbours are joined, and the best fit is reused before the memory grows.
 */
export class Pool {
  readonly memory: WebAssembly.Memory
  readonly limitBytes: number
  /** The memory can be seen by other threads. */
  readonly shared: boolean
  readonly #poison: boolean
  readonly #sizes = new Map<number, number>()
  #free: Array<Free> = []
  #end: number
  #live = 0

  constructor(options: {
    readonly shared: boolean
    readonly limitBytes: number
    readonly poison: boolean
  }) {
    const maximum = Math.floor(options.limitBytes / pageBytes)
    this.memory = new WebAssembly.Memory({ initial: 1, maximum, shared: options.shared })
    this.limitBytes = maximum * pageBytes
    this.shared = options.shared
    this.#poison = options.poison
    // Address 0 stays unused: an address that went below a buffer is likelier to be caught.
    this.#end = 4096
  }

  /** Bytes in blocks that are handed out. */
  get liveBytes(): number {
    return this.#live
  }

  /** The address of a block, or `undefined` where the limit is reached. */
  allocate(bytes: number): number | undefined {
    const size = sizeClass(bytes)
    const address = this.#reuse(size) ?? this.#grow(size)
    if (address === undefined) return undefined
    this.#sizes.set(address, size)
    this.#live += size
    if (this.#poison) this.poison(address, size)
    return address
  }

  free(address: number): void {
    const bytes = this.#sizes.get(address)
    if (bytes === undefined) return
    this.#sizes.delete(address)
    this.#live -= bytes
    if (this.#poison) this.poison(address, bytes)
    this.#release({ address, bytes })
  }

  /** Fills memory with NaN bytes, so that reading what was never written shows. */
  poison(address: number, bytes: number): void {
    new Uint8Array(this.memory.buffer, address, bytes).fill(0xff)
  }

  #reuse(size: number): number | undefined {
    let best = -1
    for (const [i, { bytes }] of this.#free.entries()) {
      if (bytes >= size && (best < 0 || bytes < this.#free[best].bytes)) best = i
    }
    if (best < 0) return undefined
    const { address, bytes } = this.#free[best]
    if (bytes === size) this.#free.splice(best, 1)
    else this.#free[best] = { address: address + size, bytes: bytes - size }
    return address
  }

  #grow(size: number): number | undefined {
    const last = this.#free.at(-1)
    const joins = last !== undefined && last.address + last.bytes === this.#end
    const address = joins ? last.address : this.#end
    const end = address + size
    if (end > this.limitBytes) return undefined
    const missing = end - this.memory.buffer.byteLength
    if (missing > 0) {
      // Grow by an eighth at least, so that many small buffers take few steps.
      const wanted = Math.max(missing, this.memory.buffer.byteLength / 8)
      const room = this.limitBytes - this.memory.buffer.byteLength
      if (!this.#extend(Math.min(wanted, room)) && !this.#extend(missing)) return undefined
    }
    if (joins) this.#free.pop()
    this.#end = end
    return address
  }

  #extend(bytes: number): boolean {
    try {
      this.memory.grow(Math.ceil(bytes / pageBytes))
      return true
    } catch {
      return false
    }
  }

  #release(block: Free): void {
    const after = this.#free.findIndex((free) => free.address > block.address)
    const at = after < 0 ? this.#free.length : after
    const [previous, next] = [this.#free[at - 1], this.#free[at]]
    const joinsPrevious =
      previous !== undefined && previous.address + previous.bytes === block.address
    const joinsNext = next !== undefined && block.address + block.bytes === next.address
    const address = joinsPrevious ? previous.address : block.address
    const end = joinsNext ? next.address + next.bytes : block.address + block.bytes
    this.#free.splice(at - (joinsPrevious ? 1 : 0), (joinsPrevious ? 1 : 0) + (joinsNext ? 1 : 0), {
      address,
      bytes: end - address,
    })
  }
}
