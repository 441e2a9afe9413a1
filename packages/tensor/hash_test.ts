import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Sha256, sha256 } from "./hash.ts"

const expected = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex")

describe("sha256", () => {
  it("gives the examples of FIPS 180-4", () => {
    assert.strictEqual(
      sha256("abc"),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    )
    assert.strictEqual(
      sha256(""),
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    )
  })

  it("agrees with Node on any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
        assert.strictEqual(sha256(text), expected(text))
      }),
      { numRuns: 80, seed: 1 },
    )
  })

  it("agrees at every length around a block's border", () => {
    for (let length = 0; length < 200; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 7)
      assert.strictEqual(new Sha256().update(bytes).digest(), expected(bytes))
    }
  })

  it("does not care how the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 150 }), { maxLength: 6 }), (parts) => {
        const hash = new Sha256()
        for (const part of parts) hash.update(part)
        assert.strictEqual(hash.digest(), expected(Uint8Array.from(parts.flatMap((p) => [...p]))))
      }),
      { seed: 2 },
    )
  })

  it("hashes the bytes of any typed array, also of a part of a buffer", () => {
    const values = Float32Array.of(1.5, -2, 3, 4)
    const part = values.subarray(1, 3)
    const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
    assert.strictEqual(new Sha256().update(part).digest(), expected(bytes))
  })

  it("is fast enough for megabytes", () => {
    const bytes = new Uint8Array(8 * 2 ** 20).fill(3)
    const start = performance.now()
    assert.strictEqual(new Sha256().update(bytes).digest(), expected(bytes))
    assert.isBelow(performance.now() - start, 2000)
  })
})
