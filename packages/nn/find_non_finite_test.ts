import { assert, describe, it } from "@effect/vitest"
import { Device, HostArray, Interpreter, Tensor } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect } from "effect"
import { sgd } from "./optimizers.ts"
import { constantRate } from "./schedules.ts"
import { train } from "./train.ts"

const parameters = { deep: { a: HostArray.make([2], [1, 2]) }, z: HostArray.make([3], [1, 1, 1]) }
const options = {
  name: "fragile",
  parameters,
  batch: (step: number, _part: number) => ({ x: HostArray.make([2], [1, step]) }),
  /** Σ x · a, and a root whose slope at 0 is infinite: at the third step, where x₁ is 3. */
  loss: (
    { deep, z }: { readonly deep: { readonly a: Tensor.Tensor }; readonly z: Tensor.Tensor },
    { x }: { readonly x: Tensor.Tensor },
  ) => {
    const second = Tensor.sub(Tensor.slice(x, [1], [2]), 3)
    return Tensor.add(
      Tensor.sum(Tensor.mul(deep.a, x)),
      Tensor.sum(Tensor.sqrt(Tensor.mul(Tensor.square(second), Tensor.square(z)))),
    )
  },
  optimizer: sgd(),
  learningRate: constantRate(1e-3),
  steps: 5,
}

const failureOf = (change: Partial<typeof options> & { readonly accumulate?: number }) =>
  Effect.flip(train({ ...options, ...change })).pipe(
    Effect.map((error) => (error._tag === "NonFinite" ? error : assert.fail(error.message))),
  )

for (const [name, device] of [
  ["interpreter", Interpreter.layer],
  ["wasm", wasmLayer({ threads: 1, poison: true })],
] as const) {
  describe(`what is not finite, on ${name}`, () => {
    it.effect("is named: the gradient of a parameter", () =>
      Effect.gen(function* () {
        const error = yield* failureOf({})
        assert.deepStrictEqual([error.step, error.node], [3, "the gradient of z"])
        assert.strictEqual(error.program, "fragile")
        assert.include(error.hint, "learning rate")
      }).pipe(Effect.provide(device)),
    )

    it.effect("the part of the batch, where gradients are accumulated", () =>
      Effect.gen(function* () {
        const batch = (step: number, part: number) => ({
          x: HostArray.make([2], [1, 10 * step + part]),
        })
        const fragile = (
          p: { readonly deep: { readonly a: Tensor.Tensor }; readonly z: Tensor.Tensor },
          { x }: { readonly x: Tensor.Tensor },
        ) => options.loss(p, { x: Tensor.sub(x, 18) })
        const error = yield* failureOf({ batch, loss: fragile, accumulate: 2 })
        assert.deepStrictEqual([error.step, error.node], [2, "the gradient of z in part 2 of 2"])
      }).pipe(Effect.provide(device)),
    )

    it.effect("the loss", () =>
      Effect.gen(function* () {
        const huge = (step: number) => ({ x: HostArray.make([2], [step === 4 ? 3e38 : 1, 1]) })
        const loss = (
          p: { readonly deep: { readonly a: Tensor.Tensor } },
          b: { x: Tensor.Tensor },
        ) => Tensor.sum(Tensor.mul(Tensor.mul(p.deep.a, b.x), 4))
        const error = yield* failureOf({ batch: huge, loss })
        assert.deepStrictEqual([error.step, error.node], [4, "the loss"])
      }).pipe(Effect.provide(device)),
    )

    it.effect("the batch", () =>
      Effect.gen(function* () {
        const batch = (step: number) => ({ x: HostArray.make([2], [1, step === 2 ? NaN : 1]) })
        const error = yield* failureOf({ batch })
        assert.deepStrictEqual([error.step, error.node], [2, "x (1 of 2 numbers) of the batch"])
      }).pipe(Effect.provide(device)),
    )

    it.effect("a parameter", () =>
      Effect.gen(function* () {
        const z = HostArray.make([3], [1, NaN, Infinity])
        const error = yield* failureOf({ parameters: { ...parameters, z } })
        assert.deepStrictEqual([error.step, error.node], [1, "the parameter z (2 of 3 numbers)"])
      }).pipe(Effect.provide(device)),
    )

    it.effect("leaves no memory behind", () =>
      Effect.gen(function* () {
        const { statistics } = yield* Device
        const { liveBytes, programs } = statistics()
        yield* failureOf({})
        assert.deepStrictEqual(
          [statistics().liveBytes, statistics().programs],
          [liveBytes, programs],
        )
      }).pipe(Effect.provide(device)),
    )
  })
}
