import { assert, describe, it } from "@effect/vitest"
import { fusesMultiplyAdd, numericsClass } from "./numerics_class.ts"

describe("numericsClass", () => {
  it("is one for all threads of a CPU, where multiplication and addition are fused", () => {
    const [one, four] = ["1 thread", "4 threads"].map((threads) =>
      numericsClass({ kind: "wasm", adapter: `WebAssembly SIMD (relaxed), ${threads}` }),
    )
    assert.strictEqual(one, four)
    assert.strictEqual(one, fusesMultiplyAdd() ? "wasm" : "wasm, no fused multiply-add")
  })

  it("is the adapter and the compiler of a GPU", () => {
    const gpu = numericsClass({ kind: "webgpu", adapter: "A GPU" })
    assert.match(gpu, /^webgpu A GPU, dawn \d+\.\d+\.\d+$/)
  })
})
