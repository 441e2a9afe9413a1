const constants = new Int32Array(64)
const initial = new Int32Array(8)
{
  // The fractional parts of the cube and square roots of the first primes (FIPS 180-4, 4.2.2, 5.3.3).
  let found = 0
  for (let n = 2; found < 64; n++) {
    let prime = true
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false
    if (!prime) continue
    if (found < 8) initial[found] = (Math.sqrt(n) % 1) * 2 ** 32
    constants[found++] = (Math.cbrt(n) % 1) * 2 ** 32
  }
}

const rotate = (x: number, n: number): number => (x >>> n) | (x << (32 - n))

/**
 * A running sha256 (FIPS 180-4), synchronous because programs are hashed while they are traced.
 */
export class Sha256 {
  readonly #state = Int32Array.from(initial)
  readonly #block = new Uint8Array(64)
  readonly #words = new Int32Array(64)
  /** Bytes so far. */
  #length = 0

  update(data: string | ArrayBufferView): this {
    const bytes =
      typeof data === "string"
        ? new TextEncoder().encode(data)
        : new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const filled = this.#length % 64
    this.#length += bytes.length
    let at = 0
    if (filled > 0) {
      at = Math.min(64 - filled, bytes.length)
      this.#block.set(bytes.subarray(0, at), filled)
      if (filled + at < 64) return this
      this.#compress(this.#block, 0)
    }
    for (; at + 64 <= bytes.length; at += 64) this.#compress(bytes, at)
    this.#block.set(bytes.subarray(at))
    return this
  }

  /** The digest in hexadecimal; the hash cannot be used afterwards. */
  digest(): string {
    const bits = this.#length * 8
    const padding = new Uint8Array(64 - ((this.#length + 8) % 64) + 8)
    padding[0] = 0x80
    const view = new DataView(padding.buffer)
    view.setUint32(padding.length - 8, Math.floor(bits / 2 ** 32))
    view.setUint32(padding.length - 4, bits >>> 0)
    this.update(padding)
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
  }

  #compress(bytes: Uint8Array, start: number): void {
    const w = this.#words
    for (let i = 0, at = start; i < 16; i++, at += 4) {
      w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
    }
    for (let i = 16; i < 64; i++) {
      const [x, y] = [w[i - 15], w[i - 2]]
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10)
      w[i] = w[i - 16] + s0 + w[i - 7] + s1
    }
    const state = this.#state
    let a = state[0]
    let b = state[1]
    let c = state[2]
    let d = state[3]
    let e = state[4]
    let f = state[5]
    let g = state[6]
    let h = state[7]
    for (let i = 0; i < 64; i++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i]) | 0
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e
    state[5] += f
    state[6] += g
    state[7] += h
  }
}

/** sha256 of one text, in hexadecimal. */
export const sha256 = (text: string): string => new Sha256().update(text).digest()
