const constants = new Uint32Array(64)
const initial = new Uint32Array(8)
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
  readonly #state = Uint32Array.from(initial)
  readonly #block = new Uint8Array(64)
  readonly #words = new Uint32Array(64)
  #length = 0

  update(data: string | ArrayBufferView): this {
    const bytes =
      typeof data === "string"
        ? new TextEncoder().encode(data)
        : new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    for (const byte of bytes) {
      this.#block[this.#length++ % 64] = byte
      if (this.#length % 64 === 0) this.#compress()
    }
    return this
  }

  /** The digest in hexadecimal; the hash cannot be used afterwards. */
  digest(): string {
    const bits = this.#length * 8
    const tail = new Uint8Array(8)
    const view = new DataView(tail.buffer)
    view.setUint32(0, Math.floor(bits / 2 ** 32))
    view.setUint32(4, bits >>> 0)
    this.update(Uint8Array.of(0x80))
    while (this.#length % 64 !== 56) this.update(Uint8Array.of(0))
    this.update(tail)
    return [...this.#state].map((word) => word.toString(16).padStart(8, "0")).join("")
  }

  #compress(): void {
    const w = this.#words
    const block = new DataView(this.#block.buffer)
    for (let i = 0; i < 16; i++) w[i] = block.getUint32(i * 4)
    for (let i = 16; i < 64; i++) {
      const [x, y] = [w[i - 15]!, w[i - 2]!]
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10)
      w[i] = w[i - 16]! + s0 + w[i - 7]! + s1
    }
    let [a, b, c, d, e, f, g, h] = this.#state as unknown as [
      number, number, number, number, number, number, number, number,
    ]
    for (let i = 0; i < 64; i++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + constants[i]! + w[i]!) | 0
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
    for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) this.#state[i]! += value
  }
}

/** sha256 of one text, in hexadecimal. */
export const sha256 = (text: string): string => new Sha256().update(text).digest()
