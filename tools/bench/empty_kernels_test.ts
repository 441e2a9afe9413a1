import { assert, it } from "vitest"
import { installEmptyKernels } from "./empty_kernels.ts"

// (module (memory (export "memory") 1) (func (export "store") i32.const 0 i32.const 7 i32.store))
const bytes = Uint8Array.from([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 18, 2, 6, 109, 101,
  109, 111, 114, 121, 2, 0, 5, 115, 116, 111, 114, 101, 0, 0, 10, 11, 1, 9, 0, 65, 0, 65, 7, 54, 2,
  0, 11,
])

it("lets kernels work until they are switched off", () => {
  const { Instance } = WebAssembly
  const switchOff = installEmptyKernels()
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes))
  Object.defineProperty(WebAssembly, "Instance", { value: Instance })
  const store = exports["store"] as () => void
  const memory = new Int32Array((exports["memory"] as WebAssembly.Memory).buffer)
  store()
  assert.strictEqual(memory[0], 7)
  memory[0] = 0
  switchOff()
  store()
  assert.strictEqual(memory[0], 0)
})
