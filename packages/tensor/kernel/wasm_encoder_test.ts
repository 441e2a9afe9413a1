import { assert, describe, it } from "@effect/vitest"
import * as Wasm from "./wasm_encoder.ts"

type Numeric = (...values: ReadonlyArray<number>) => number

const instantiate = (module: Wasm.ModuleBuilder, imports: WebAssembly.Imports = {}) =>
  new WebAssembly.Instance(new WebAssembly.Module(module.encode()), imports).exports as Record<
    string,
    Numeric
  >

describe("LEB128", () => {
  it("encodes the examples of the specification", () => {
    const encode = (f: (bytes: Array<number>, value: number) => void, value: number) => {
      const bytes: Array<number> = []
      f(bytes, value)
      return bytes
    }
    assert.deepStrictEqual(encode(Wasm.unsigned, 624485), [0xe5, 0x8e, 0x26])
    assert.deepStrictEqual(encode(Wasm.unsigned, 4294967295), [0xff, 0xff, 0xff, 0xff, 0x0f])
    assert.deepStrictEqual(encode(Wasm.signed, -123456), [0xc0, 0xbb, 0x78])
    assert.deepStrictEqual(encode(Wasm.signed, 64), [0xc0, 0x00])
    assert.deepStrictEqual(encode(Wasm.signed, -2147483648), [0x80, 0x80, 0x80, 0x80, 0x78])
  })
})

describe("ModuleBuilder", () => {
  it("makes functions with locals, loops, branches and calls", () => {
    const module = new Wasm.ModuleBuilder()
    const square = module.function(["i32"], ["i32"])
    square.get(0).get(0).op("i32.mul")
    const sum = module.function(["i32"], ["i32"])
    const total = sum.local("i32")
    sum.block((done) => {
      sum.loop((next) => {
        sum.get(0).op("i32.eqz").branchIf(done)
        sum.get(total).get(0).call(square).op("i32.add").set(total)
        sum.get(0).i32(1).op("i32.sub").set(0)
        sum.branch(next)
      })
    })
    sum.get(total)
    module.export("sumOfSquares", sum)
    assert.strictEqual(instantiate(module)["sumOfSquares"](10), 385)
  })

  it("branches both ways", () => {
    const module = new Wasm.ModuleBuilder()
    const choose = module.function(["i32"], ["i32"])
    const result = choose.local("i32")
    choose.get(0).if(
      () => choose.i32(-5).set(result),
      () => choose.i32(70000).set(result),
    )
    choose.get(result)
    module.export("choose", choose)
    assert.strictEqual(instantiate(module)["choose"](1), -5)
    assert.strictEqual(instantiate(module)["choose"](0), 70000)
  })

  it("reads and writes imported memory with vectors, lanes and bulk instructions", () => {
    const module = new Wasm.ModuleBuilder()
    module.importMemory({ module: "env", name: "memory", minimumPages: 1 })
    const run = module.function([])
    run.i32(16)
    run.i32(0).memory("v128.load").f32x4(2).op("f32x4.mul").f32x4(0).shuffle(3, 2, 1, 0)
    run.memory("v128.store")
    run.i32(0).i32(16).memory("v128.load").memoryLane("v128.store32_lane", 2, 32)
    run.i32(48).i32(16).i32(16).memoryCopy()
    run.i32(64).i32(0xff).i32(4).memoryFill()
    module.export("run", run)
    const memory = new WebAssembly.Memory({ initial: 1 })
    const floats = new Float32Array(memory.buffer)
    floats.set([1, 2, 3, 4])
    instantiate(module, { env: { memory } })["run"]()
    assert.deepStrictEqual(Array.from(floats.slice(4, 9)), [8, 6, 4, 2, 4])
    assert.deepStrictEqual(Array.from(floats.slice(12, 16)), [8, 6, 4, 2])
    assert.strictEqual(new Int32Array(memory.buffer)[16], -1)
  })

  it("shares memory and updates it atomically", () => {
    const module = new Wasm.ModuleBuilder()
    module.importMemory({
      module: "env",
      name: "memory",
      minimumPages: 1,
      maximumPages: 2,
      shared: true,
    })
    const add = module.function(["i32"], ["i32"])
    add.i32(8).get(0).memory("i32.atomic.rmw.add")
    module.export("add", add)
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true })
    const exports = instantiate(module, { env: { memory } })
    assert.strictEqual(exports["add"](5), 0)
    assert.strictEqual(exports["add"](5), 5)
    assert.strictEqual(Atomics.load(new Int32Array(memory.buffer), 2), 10)
  })

  it("encodes every instruction that this engine knows", () => {
    const unary = (name: Wasm.Opcode) => {
      const module = new Wasm.ModuleBuilder()
      const f = module.function(["v128"], ["v128"])
      f.get(0).op(name)
      return module.encode()
    }
    const binary = (name: Wasm.Opcode) => {
      const module = new Wasm.ModuleBuilder()
      const f = module.function(["v128", "v128"], ["v128"])
      f.get(0).get(1).op(name)
      return module.encode()
    }
    for (const name of ["f32x4.nearest", "i32x4.abs", "f64x2.promote_low_f32x4"] as const) {
      assert.isTrue(WebAssembly.validate(unary(name)), name)
    }
    for (const name of ["f32x4.pmax", "i32x4.max_u", "v128.andnot", "i64x2.sub"] as const) {
      assert.isTrue(WebAssembly.validate(binary(name)), name)
    }
  })
})
