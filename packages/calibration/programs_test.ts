import { assert, describe, it } from "@effect/vitest"
import { Device, Program, Scalar, Tensor } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect } from "effect"
import { makePrograms } from "./programs.ts"

const makeDouble = () => Program.make("double", { x: Scalar }, ({ x }) => Tensor.add(x, x))

describe("makePrograms", () => {
  it.effect("compiles each program once, and gives it back with its scope", () =>
    Effect.gen(function* () {
      const { statistics } = yield* Device
      yield* Effect.scoped(
        Effect.gen(function* () {
          const programs = yield* makePrograms
          const first = yield* programs.get("double", makeDouble)
          // The scope in which a program is first asked for is not the one it lives in.
          const second = yield* Effect.scoped(programs.get("another", makeDouble))
          assert.strictEqual(yield* programs.get("double", makeDouble), first)
          assert.strictEqual(yield* programs.get("another", makeDouble), second)
          assert.deepStrictEqual(yield* Tensor.toArray(yield* second({ x: 4 })), [8])
        }),
      )
      assert.strictEqual(statistics().programs, 0)
    }).pipe(Effect.provide(wasmLayer({ poison: true, threads: 1 }))),
  )
})
