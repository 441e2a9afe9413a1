import { assert, describe, it } from "@effect/vitest"
import { Pool, sizeClass } from "./memory.ts"

const make = (limitBytes = 2 ** 24) => new Pool({ shared: false, limitBytes, poison: true })

describe("sizeClass", () => {
  it("wastes at most an eighth, and keeps addresses aligned", () => {
    for (let bytes = 0; bytes < 3_000_000; bytes = Math.ceil(bytes * 1.07) + 1) {
      const size = sizeClass(bytes)
      assert.isAtLeast(size, bytes)
      assert.isAtMost(size, Math.max(bytes * 1.125 + 1, bytes + 256))
      assert.strictEqual(size % 256, 0)
    }
  })
})

describe("Pool", () => {
  it("hands out blocks that do not meet", () => {
    const pool = make()
    const blocks: Array<readonly [number, number]> = []
    for (let i = 0; i < 200; i++) {
      const bytes = (i * 7919) % 5000
      blocks.push([pool.allocate(bytes)!, bytes])
      if (i % 3 === 2) pool.free(blocks.splice((i * 31) % blocks.length, 1)[0][0])
    }
    const sorted = blocks.toSorted((a, b) => a[0] - b[0])
    for (const [i, [address, bytes]] of sorted.entries()) {
      assert.strictEqual(address % 256, 0)
      if (i + 1 < sorted.length) assert.isAtMost(address + bytes, sorted[i + 1][0])
    }
  })

  it("joins freed neighbours and reuses them before it grows", () => {
    const pool = make()
    const blocks = Array.from({ length: 10 }, () => pool.allocate(64 * 1024)!)
    const grown = pool.memory.buffer.byteLength
    for (const i of [3, 5, 4, 2, 6]) pool.free(blocks[i])
    assert.strictEqual(pool.allocate(5 * 64 * 1024), blocks[2])
    assert.strictEqual(pool.memory.buffer.byteLength, grown)
  })

  it("counts what is handed out, and nothing else", () => {
    const pool = make()
    assert.strictEqual(pool.liveBytes, 0)
    const [a, b] = [pool.allocate(1000)!, pool.allocate(100_000)!]
    assert.strictEqual(pool.liveBytes, sizeClass(1000) + sizeClass(100_000))
    pool.free(a)
    pool.free(b)
    pool.free(b)
    assert.strictEqual(pool.liveBytes, 0)
  })

  it("stops at its limit and goes on after something was freed", () => {
    const pool = make(2 ** 20)
    const first = pool.allocate(700_000)!
    assert.isUndefined(pool.allocate(700_000))
    pool.free(first)
    assert.isDefined(pool.allocate(700_000))
  })

  it("fills recycled memory with NaN", () => {
    const pool = make()
    const address = pool.allocate(1024)!
    new Float32Array(pool.memory.buffer, address, 256).fill(3)
    pool.free(address)
    assert.strictEqual(pool.allocate(1024), address)
    assert.isTrue(new Float32Array(pool.memory.buffer, address, 256).every(Number.isNaN))
  })
})
