import { assert, describe, it } from "@effect/vitest"
import type { CausalLM, NamedLinear } from "@espalier/models"
import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
import { DeviceArray, Grad, HostArray, Interpreter, Program, Spec, Tensor } from "@espalier/tensor"
import * as Wasm from "@espalier/wasm"
import { Effect, Result } from "effect"
import { dlQat, largestRank } from "./dl_qat.ts"
import { fakeQuantize, tracedRange } from "./fake_quantize.ts"
import { gridOf, quantizeOnGrid } from "./grid.ts"
import { qaLora, qLora } from "./qat_baselines.ts"
import type { QatMethod, QatOptions } from "./qat.ts"
import { trainedShareOf, trainQuantized } from "./qat.ts"
import { quantize } from "./quantize.ts"
import { dequantize } from "./quantized_weight.ts"
import { rtn } from "./rtn.ts"
import type { Bits, Scheme } from "./scheme.ts"

const wasm = Wasm.layer({ poison: true, threads: 1 })

/** Deterministic numbers in [-1, 1). */
const draw = (shape: ReadonlyArray<number>, seed: number): HostArray.HostArray => {
  let state = seed >>> 0
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
  const length = shape.reduce((product, extent) => product * extent, 1)
  return HostArray.make(shape, Float32Array.from({ length }, next))
}

const schemes: ReadonlyArray<Scheme> = ([2, 3, 4, 8] as ReadonlyArray<Bits>).flatMap((bits) =>
  (["channel", 32] as const).flatMap((group) =>
    [false, true].map((symmetric) => ({ bits, group, symmetric })),
  ),
)

/** A weight with everything that a traced program needs of it. */
const makeProblem = (shape: readonly [number, number], scheme: Scheme, seed: number) => {
  const weight = draw(shape, seed)
  const { scales, zeros } = gridOf(weight.data as Float32Array, shape[1], scheme)
  const perGroup = [shape[0], scales.length / shape[0]]
  return {
    weight,
    grid: { scales, zeros },
    frozen: {
      weight,
      scales: HostArray.make(perGroup, scales),
      zeros: HostArray.make(perGroup, Float32Array.from(zeros)),
    },
  }
}

const linearOf = (shape: readonly [number, number]): NamedLinear => ({
  name: "linear",
  path: "blocks.0.linear",
  shape,
})

/** What a method makes of a weight with given trained arrays: [its forward, its codes' weight]. */
const forwardOf = Effect.fnUntraced(function* (
  method: QatMethod,
  shape: readonly [number, number],
  scheme: Scheme,
  changed: (
    initial: Readonly<Record<string, HostArray.HostArray>>,
  ) => Readonly<Record<string, HostArray.HostArray>> = (initial) => initial,
) {
  const { frozen, weight, grid } = makeProblem(shape, scheme, 5)
  const trained = changed(method.initial(linearOf(shape), scheme, 3))
  const inputs = { frozen: Spec.of(frozen), trained: Spec.of(trained) }
  const program = Program.make("forward", inputs, (given) => {
    const linear = { ...given, scheme } as never
    return { weight: method.weight(linear), ...method.quantized(linear) }
  })
  const run = yield* Program.compile(program)
  const found = yield* run({ frozen, trained })
  const read = (array: DeviceArray.DeviceArray) =>
    Effect.map(DeviceArray.toHost(array), ({ data }) => Float32Array.from(data))
  return {
    weight,
    grid,
    forward: yield* read(found.weight),
    exported: dequantize({
      shape,
      scheme,
      codes: Uint8Array.from(yield* read(found.codes)),
      scales: yield* read(found.scales),
      zeros: yield* read(found.zeros),
    }).data,
  }
}, Effect.scoped)

const withNoise =
  (size: number) =>
  (
    initial: Readonly<Record<string, HostArray.HostArray>>,
  ): Readonly<Record<string, HostArray.HostArray>> =>
    Object.fromEntries(
      Object.entries(initial).map(([name, { shape, data }], i) => {
        const noise = draw(shape, 40 + i).data
        return [
          name,
          HostArray.make(
            shape,
            Float32Array.from(data, (value, j) => value + size * noise[j]),
          ),
        ]
      }),
    )

describe("dlQat", () => {
  it.effect("begins at the weight rounded to nearest, bit for bit", () =>
    Effect.gen(function* () {
      for (const scheme of schemes) {
        const shape = [6, 64] as const
        const { forward, weight, grid } = yield* forwardOf(dlQat({ rank: 2 }), shape, scheme)
        const nearest = quantizeOnGrid(weight.data as Float32Array, shape, scheme, grid)
        assert.deepStrictEqual(forward, dequantize(nearest).data)
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("exports codes, scales and zero points that give its forward, bit for bit", () =>
    Effect.gen(function* () {
      for (const scheme of schemes) {
        const { forward, exported } = yield* forwardOf(
          dlQat({ rank: 3, alpha: 6 }),
          [6, 64],
          scheme,
          withNoise(0.1),
        )
        assert.deepStrictEqual(exported, forward)
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("is linear in its magnitudes", () =>
    Effect.gen(function* () {
      const method = dlQat({ rank: 0 })
      const scheme: Scheme = { bits: 3, group: 32, symmetric: false }
      const times = (factor: number) =>
        forwardOf(method, [4, 64], scheme, ({ m }) => ({
          m: HostArray.make(m.shape, new Float32Array(m.data.length).fill(factor)),
        }))
      const one = (yield* times(1)).forward
      const two = (yield* times(2)).forward
      assert.deepStrictEqual(
        two,
        one.map((value) => 2 * value),
      )
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("has the gradient Σ G · Ŵ / m for a magnitude, which finite differences confirm", () =>
    Effect.gen(function* () {
      const scheme: Scheme = { bits: 2, group: 32, symmetric: false }
      const shape = [3, 64] as const
      const { frozen } = makeProblem(shape, scheme, 9)
      const direction = draw(shape, 10)
      const method = dlQat({ rank: 0 })
      const inputs = {
        frozen: Spec.of(frozen),
        direction: Spec.f32(shape),
        m: Spec.f32([3, 2]),
      }
      const loss = (given: { frozen: never; direction: Tensor.Tensor }, m: Tensor.Tensor) => {
        const weight = method.weight({ frozen: given.frozen, trained: { m }, scheme })
        return Tensor.sum(Tensor.mul(weight, given.direction))
      }
      const program = Program.make("gradient", inputs, ({ m, ...given }) =>
        Grad.valueAndGrad((free: Tensor.Tensor) => loss(given as never, free))(m),
      )
      const run = yield* Program.compile(program)
      const at = (data: ReadonlyArray<number>) =>
        run({ frozen, direction, m: HostArray.make([3, 2], data) })
      const m = [1, 0.5, 2, 1.5, 0.7, 1.2]
      const gradient = yield* DeviceArray.toArray((yield* at(m)).grads)
      for (const [i, own] of gradient.entries()) {
        const shifted = (by: number) => at(m.map((value, j) => (j === i ? value + by : value)))
        const [more] = yield* DeviceArray.toArray((yield* shifted(0.25)).value)
        const [less] = yield* DeviceArray.toArray((yield* shifted(-0.25)).value)
        assert.closeTo(own, (more - less) / 0.5, 1e-5)
      }
    }).pipe(Effect.scoped, Effect.provide(Interpreter.layer)),
  )

  it.effect("passes gradients through rounding, and none beyond the ends of the grid", () =>
    Effect.gen(function* () {
      const scheme: Scheme = { bits: 2, group: "channel", symmetric: false }
      const inputs = { weight: Spec.f32([1, 6]) }
      const program = Program.make("through", inputs, ({ weight }) => {
        const grid = {
          scales: Tensor.fromHost(HostArray.make([1, 1], [0.5])),
          zeros: Tensor.fromHost(HostArray.make([1, 1], [1])),
        }
        return Grad.valueAndGrad((free: Tensor.Tensor) =>
          Tensor.sum(fakeQuantize(free, grid, scheme)),
        )(weight)
      })
      const run = yield* Program.compile(program)
      // The grid is −0.5, 0, 0.5, 1; what rounds to −1 or 1.5 is beyond it.
      const weight = HostArray.make([1, 6], [-1, -0.6, 0, 0.7, 1.1, 1.6])
      const { grads } = yield* run({ weight })
      assert.deepStrictEqual(yield* DeviceArray.toArray(grads), [0, 1, 1, 1, 1, 0])
    }).pipe(Effect.scoped, Effect.provide(Interpreter.layer)),
  )

  it("trains the share that the sheet computes", () => {
    const square = [linearOf([4096, 4096])]
    const share = (rank: number, group: Scheme["group"]) =>
      trainedShareOf(dlQat({ rank }), square, { bits: 3, group, symmetric: false })
    assert.closeTo(share(16, "channel"), 0.0081, 5e-5)
    assert.closeTo(share(4, 128), 0.0098, 5e-5)
    assert.closeTo(share(16, 128), 0.0156, 5e-5)
    const scheme = { bits: 3, group: 128, symmetric: false } as const
    assert.strictEqual(largestRank(square, scheme, 0.0098), 4)
    assert.isAtMost(share(largestRank(square, scheme, 0.01), 128), 0.01)
    // Without magnitudes there is room for more.
    const alone = largestRank(square, scheme, 0.0098, (rank) => qLora({ rank }))
    assert.strictEqual(alone, Math.floor((0.0098 * 4096) / 2))
  })
})

describe("tracedRange", () => {
  it.effect("is the grid that the host chooses", () =>
    Effect.gen(function* () {
      for (const scheme of schemes) {
        const { weight, grid } = makeProblem([5, 64], scheme, 11)
        weight.data.fill(0, 0, 64)
        const expected = gridOf(weight.data as Float32Array, 64, scheme)
        const program = Program.make("range", { weight: Spec.f32([5, 64]) }, (given) => ({
          ...tracedRange(given.weight, scheme),
        }))
        const run = yield* Program.compile(program)
        const found = yield* run({ weight })
        const [scales, zeros] = [
          yield* DeviceArray.toArray(found.scales),
          yield* DeviceArray.toArray(found.zeros),
        ]
        assert.strictEqual(scales.length, grid.scales.length)
        assert.deepStrictEqual(
          zeros.map((zero) => zero + 0),
          Array.from(expected.zeros),
        )
        scales.forEach((scale, i) => assert.closeTo(scale / expected.scales[i], 1, 2e-7))
      }
    }).pipe(Effect.scoped, Effect.provide(wasm)),
  )
})

const config = Result.getOrThrow(
  makeLlamaConfig({
    dimension: 32,
    hiddenDimension: 64,
    layers: 2,
    heads: 2,
    keyValueHeads: 2,
    vocabularySize: 16,
    contextLength: 16,
  }),
)
const windows = Array.from({ length: 6 }, (_, i) =>
  Int32Array.from({ length: 12 }, (__, j) => (i * 5 + j * j * 3) % 16),
)
const scheme: Scheme = { bits: 2, group: 32, symmetric: false }
const tiny = (options: Partial<QatOptions> = {}): QatOptions => ({
  scheme,
  windows,
  steps: 12,
  batch: 3,
  learningRate: 5e-3,
  ...options,
})

describe("trainQuantized", () => {
  it.effect("without a step is rounding to nearest, and leaves the model alone", () =>
    Effect.gen(function* () {
      const model = makeLlama(config, yield* initializeLlama(config, 1))
      const before = structuredClone(model.parameters)
      const found = yield* trainQuantized(
        model,
        dlQat({ rank: 2 }),
        tiny({ steps: 0, range: "min-max" }),
      )
      const nearest = yield* quantize(model, rtn(), { scheme })
      assert.deepStrictEqual(found.model.parameters, nearest.model.parameters)
      assert.deepStrictEqual(found.weights, nearest.weights)
      assert.strictEqual(found.bitsPerWeight, nearest.bitsPerWeight)
      assert.deepStrictEqual(model.parameters, before)
    }).pipe(Effect.scoped, Effect.provide(wasm)),
  )

  for (const loss of ["distillation", "lm"] as const) {
    it.effect(`learns (${loss}), keeps grids and dense weights, and gives the same again`, () =>
      Effect.gen(function* () {
        const model = makeLlama(config, yield* initializeLlama(config, 1))
        const before = structuredClone(model.parameters)
        const run = trainQuantized(model, dlQat({ rank: 2 }), tiny({ loss, range: "min-max" }))
        const { losses, weights, trainTokens, ...found } = yield* run
        assert.isBelow(losses[11], losses[0])
        assert.strictEqual(trainTokens, 12 * 3 * 12)
        assert.deepStrictEqual(model.parameters, before)
        const nearest = yield* quantize(model, rtn(), { scheme })
        for (const [path, { zeros }] of weights) {
          assert.deepStrictEqual(zeros, nearest.weights.get(path)!.zeros)
        }
        assert.deepStrictEqual((yield* run).model.parameters, found.model.parameters)
        for (const block of model.blocks) {
          const own = block.parameters(found.model.parameters)
          for (const { name, path } of block.linears) {
            assert.deepStrictEqual(own[name], dequantize(weights.get(path)!))
          }
        }
      }).pipe(Effect.scoped, Effect.provide(wasm)),
    )
  }

  it.effect("trains the baselines under the same loss", () =>
    Effect.gen(function* () {
      const model = makeLlama(config, yield* initializeLlama(config, 1))
      const qlora = yield* trainQuantized(model, qLora({ rank: 2 }), tiny())
      assert.isBelow(qlora.losses[11], qlora.losses[0])
      assert.strictEqual(qlora.weights.size, 14)
      const qalora = yield* trainQuantized(model, qaLora({ rank: 1 }), tiny())
      assert.isBelow(qalora.losses[11], qalora.losses[0])
      // Its zero points are no integers: they take 16 bits.
      assert.strictEqual(qalora.weights.size, 0)
      assert.closeTo(qalora.bitsPerWeight, 2 + 32 / 32, 1e-9)
      for (const found of [qlora, qalora]) {
        assert.isTrue(found.losses.every((loss) => Number.isFinite(loss)))
      }
    }).pipe(Effect.scoped, Effect.provide(wasm)),
  )

  /** The same model with some weights of its linears 0. */
  const withZeros = (model: CausalLM, isZero: (place: number) => boolean): CausalLM => {
    const pruned = structuredClone(model.parameters)
    for (const block of model.blocks) {
      const own = block.parameters(pruned) as Readonly<Record<string, HostArray.HostArray>>
      for (const { name } of block.linears) {
        for (let i = 0; i < own[name].data.length; i++) if (isZero(i)) own[name].data[i] = 0
      }
    }
    return model.withParameters(pruned)
  }

  for (const method of [dlQat({ rank: 2 }), qLora({ rank: 2 }), qaLora({ rank: 1 })]) {
    it.effect(`keeps the zeros of a 2:4 model, trained by its dense one (${method.name})`, () =>
      Effect.gen(function* () {
        const dense = makeLlama(config, yield* initializeLlama(config, 1))
        const pruned = withZeros(dense, (place) => (place * 7) % 4 < 2)
        const options = tiny({ learningRate: 0.05, teacher: dense })
        const loose = yield* trainQuantized(pruned, method, options)
        const kept = yield* trainQuantized(pruned, method, { ...options, keepZeros: true })
        assert.isBelow(kept.losses[11], kept.losses[0])
        const zerosOf = (model: CausalLM) =>
          model.blocks.flatMap((block) => {
            const before = block.parameters(pruned.parameters) as Readonly<
              Record<string, HostArray.HostArray>
            >
            const after = block.parameters(model.parameters) as typeof before
            return block.linears.flatMap(({ name }) =>
              Array.from(after[name].data).filter((_, i) => before[name].data[i] === 0),
            )
          })
        assert.strictEqual(zerosOf(kept.model).length, 2 * (4 * 32 * 32 + 3 * 32 * 64) * 0.5)
        assert.isTrue(zerosOf(kept.model).every((value) => Object.is(value, 0)))
        assert.isTrue(zerosOf(loose.model).some((value) => value !== 0))
        for (const block of pruned.blocks) {
          const own = block.parameters(kept.model.parameters)
          for (const { name, path } of block.linears) {
            const weight = kept.weights.get(path)
            if (weight !== undefined) assert.deepStrictEqual(own[name], dequantize(weight))
          }
        }
      }).pipe(Effect.scoped, Effect.provide(wasm)),
    )
  }

  it.effect("sees the zeros in training", () =>
    Effect.gen(function* () {
      const model = withZeros(
        makeLlama(config, yield* initializeLlama(config, 1, { embeddingScale: 3 })),
        () => true,
      )
      const shifted: QatMethod = {
        name: "shifted",
        initial: () => ({ by: HostArray.make([], [0.5]) }),
        weight: ({ frozen, trained }) => Tensor.add(frozen.weight, trained.by),
        quantized: ({ frozen }) => ({ codes: Tensor.mul(frozen.weight, 0), ...frozen }),
      }
      const options = tiny({ steps: 1 })
      const kept = yield* trainQuantized(model, shifted, { ...options, keepZeros: true })
      assert.closeTo(kept.losses[0], 0, 1e-10)
      assert.isAbove((yield* trainQuantized(model, shifted, options)).losses[0], 1e-6)
    }).pipe(Effect.scoped, Effect.provide(wasm)),
  )

  it.effect("refuses a teacher of other tokens", () =>
    Effect.gen(function* () {
      const model = makeLlama(config, yield* initializeLlama(config, 1))
      const other = { ...config, vocabularySize: 20 }
      const teacher = makeLlama(other, yield* initializeLlama(other, 1))
      const failed = trainQuantized(model, dlQat({ rank: 1 }), tiny({ teacher }))
      const error = yield* Effect.flip(failed)
      assert.match(error.message, /the teacher predicts 20 tokens, the model 16/)
    }).pipe(Effect.scoped, Effect.provide(wasm)),
  )

  it.effect("refuses groups that do not divide a width before anything runs", () =>
    Effect.gen(function* () {
      const model = makeLlama(config, yield* initializeLlama(config, 1))
      const wide = { ...scheme, group: 128 } as const
      const failed = trainQuantized(model, dlQat({ rank: 1 }), tiny({ scheme: wide }))
      const error = yield* Effect.flip(failed)
      assert.strictEqual(error._tag, "GroupWidthMismatch")
    }).pipe(Effect.scoped, Effect.provide(wasm)),
  )
})
