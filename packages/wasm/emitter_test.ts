import { assert, describe, it } from "@effect/vitest"
import { KernelModule } from "./emitter.ts"
import { instantiate } from "./kernels.ts"

describe("wholeSteps", () => {
  it("ends at the last whole step, for powers of two and other steps", () => {
    const module = new KernelModule({ relaxed: false, shared: false, maximumPages: 1 })
    for (const step of [1, 4, 6]) {
      const emitter = module.kernel(`steps ${step}`, [])
      const end = emitter.wholeSteps({ local: 0 }, { local: 1 }, step)
      emitter.f.get(emitter.scratch)
      emitter.push(end)
      emitter.f.memory("i32.store")
    }
    const memory = new WebAssembly.Memory({ initial: 1 })
    const names = [1, 4, 6].map((step) => `steps ${step}`)
    const functions = instantiate(new WebAssembly.Module(module.builder.encode()), memory, names)
    for (const [i, step] of [1, 4, 6].entries()) {
      for (const from of [0, 12, 24]) {
        for (let to = from; to < from + 40; to++) {
          functions[i](from, to, 64, 0)
          const wanted = from + Math.floor((to - from) / step) * step
          assert.strictEqual(new Int32Array(memory.buffer)[16], wanted)
        }
      }
    }
  })
})
