import { assert, describe, it } from "@effect/vitest"
import type { HostArray } from "@espalier/tensor"
import { DeviceArray, Grad, Interpreter, Program, Spec, Tensor, Tree } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect, Result } from "effect"
import type { CausalLM } from "./causal_lm.ts"
import { parameterSpecs } from "./causal_lm.ts"
import type { LowRankOptions, LowRankParameters } from "./low_rank.ts"
import { makeLowRank } from "./low_rank.ts"
import { stackWindows, windowCrossEntropy } from "./perplexity.ts"
import { randomArrays, tinyGpt2, tinyOpt } from "./testing/random_parameters.ts"
import { tinyLlama, tinyWindows } from "./testing/tiny.ts"

type Host = HostArray.HostArray

const models: ReadonlyArray<CausalLM> = [tinyLlama(), tinyGpt2(), tinyOpt()]
const make = (model: CausalLM, options: LowRankOptions) =>
  Result.getOrThrow(makeLowRank(model, options))

/** Every array of the model by its path. */
const arraysOf = (model: CausalLM) =>
  new Map(
    Tree.entries(model.parameters).map(([path], i) => [
      path,
      Tree.leaves<Host>(model.parameters)[i],
    ]),
  )

/** Adapters of the same shapes with random numbers. */
const randomized = (parameters: LowRankParameters<Host>, seed: number) => {
  const draw = randomArrays(seed)
  return Tree.map(parameters, ({ shape }: Host) => draw(shape)) as LowRankParameters<Host>
}

/** W + (alpha / rank) · B · A in plain numbers. */
const sumOf = (weight: Host, { a, b }: LowRankParameters<Host>[string], scale: number) => {
  const [rows, columns] = weight.shape
  const rank = a.shape[0]
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) => {
      let sum = 0
      for (let k = 0; k < rank; k++) sum += b.data[i * rank + k] * a.data[k * columns + j]
      return weight.data[i * columns + j] + scale * sum
    }),
  )
}

describe("adapters of low rank", () => {
  for (const model of models) {
    it.effect(`leave ${model.family} as it is at first: LoRA bit for bit, DoRA to 1e-6`, () =>
      Effect.gen(function* () {
        for (const kind of ["lora", "dora"] as const) {
          const { merge, parameters } = make(model, { rank: 3, alpha: 7, kind })
          const before = arraysOf(model)
          const after = arraysOf(yield* merge(model, parameters))
          assert.deepStrictEqual([...after.keys()], [...before.keys()])
          for (const [path, { data }] of after) {
            const expected = before.get(path)!.data
            if (kind === "lora") assert.deepStrictEqual(data, expected, path)
            else {
              data.forEach((value, i) => {
                assert.closeTo(value, expected[i], 1e-6 * Math.abs(expected[i]), path)
              })
            }
          }
        }
      }).pipe(Effect.provide(wasmLayer({ threads: 1, poison: true }))),
    )
  }

  it.effect("change the chosen linears by their formula, and nothing else", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const linears = ({ name }: { readonly name: string }) => name === "down" || name === "query"
      for (const kind of ["lora", "dora"] as const) {
        const lowRank = make(model, { rank: 2, alpha: 5, kind, linears })
        const adapters = randomized(lowRank.parameters, 5)
        const before = arraysOf(model)
        const after = arraysOf(yield* lowRank.merge(model, adapters))
        assert.deepStrictEqual(Object.keys(adapters).length, 4)
        for (const [path, { data }] of after) {
          const weight = before.get(path)!
          const adapter = adapters[path]
          if (adapter === undefined) {
            data.forEach((value, i) => assert.strictEqual(value, weight.data[i], path))
            continue
          }
          const expected = sumOf(weight, adapter, 2.5).flatMap((row, i) => {
            if (adapter.magnitude === undefined) return row
            const length = Math.hypot(...row)
            return row.map((value) => (adapter.magnitude!.data[i] * value) / length)
          })
          data.forEach((value, i) => assert.closeTo(value, expected[i], 1e-12, path))
        }
      }
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("get the gradient of the weights through the chain rule", () =>
    Effect.gen(function* () {
      const model = tinyLlama({ layers: 1 })
      const lowRank = make(model, { rank: 2, alpha: 6, linears: ({ name }) => name === "up" })
      const adapters = randomized(lowRank.parameters, 8)
      const tokens = stackWindows(tinyWindows(2, 6))
      const base = parameterSpecs(model)
      const inputs = { base, adapters: Spec.of(adapters), tokens: Spec.i32(tokens.shape) }
      const ofAdapters = Program.make("adapters", inputs, (given) =>
        Grad.grad((own: LowRankParameters<Tensor.Tensor>) =>
          Tensor.mean(windowCrossEntropy(model, lowRank.apply(given.base, own), given.tokens)),
        )(given.adapters as LowRankParameters<Tensor.Tensor>),
      )
      const ofWeights = Program.make("weights", { base, tokens: inputs.tokens }, (given) =>
        Grad.grad((own: unknown) => Tensor.mean(windowCrossEntropy(model, own, given.tokens)))(
          given.base,
        ),
      )
      const merged = yield* lowRank.merge(model, adapters)
      const first = yield* Program.compile(ofAdapters)
      const found = yield* first({ base: model.parameters, adapters, tokens })
      const second = yield* Program.compile(ofWeights)
      const dense = yield* second({ base: merged.parameters, tokens })
      const blocks = (
        dense as { readonly blocks: ReadonlyArray<Record<string, DeviceArray.DeviceArray>> }
      ).blocks
      const slope = yield* DeviceArray.toArray(blocks[0].up)
      const { a, b } = adapters["blocks.0.up"]
      const own = (found as Record<string, Record<string, DeviceArray.DeviceArray>>)["blocks.0.up"]
      const [slopeA, slopeB] = [
        yield* DeviceArray.toArray(own.a),
        yield* DeviceArray.toArray(own.b),
      ]
      const [[outputs, rank], inputsOf] = [b.shape, a.shape[1]]
      const at = (i: number, j: number) => slope[i * inputsOf + j]
      slopeA.forEach((value, position) => {
        const [k, j] = [Math.floor(position / inputsOf), position % inputsOf]
        let sum = 0
        for (let i = 0; i < outputs; i++) sum += 3 * b.data[i * rank + k] * at(i, j)
        assert.closeTo(value, sum, 1e-12)
      })
      slopeB.forEach((value, position) => {
        const [i, k] = [Math.floor(position / rank), position % rank]
        let sum = 0
        for (let j = 0; j < inputsOf; j++) sum += 3 * a.data[k * inputsOf + j] * at(i, j)
        assert.closeTo(value, sum, 1e-12)
      })
    }).pipe(Effect.scoped, Effect.provide(Interpreter.layer)),
  )

  it.effect("keep zeros where they are told to", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const { down } = model.parameters.blocks[1]
      const sparse = down.data.map((value, i) => (i % 3 === 0 ? 0 : value))
      const own = { ...model.parameters.blocks[1], down: { ...down, data: sparse } }
      const pruned = model.withParameters(model.blocks[1].replace(model.parameters, own))
      for (const kind of ["lora", "dora"] as const) {
        const lowRank = make(pruned, { rank: 2, kind, keepZeros: true })
        const merged = yield* lowRank.merge(pruned, randomized(lowRank.parameters, 4))
        const found = arraysOf(merged).get("blocks.1.down")!.data
        found.forEach((value, i) => assert.strictEqual(value === 0, i % 3 === 0))
      }
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )

  it("are as many numbers as they say", () => {
    const model = tinyLlama()
    const shapes = model.blocks.flatMap((block) => block.linears.map(({ shape }) => shape))
    const lora = shapes.reduce((sum, [outputs, inputs]) => sum + 4 * (outputs + inputs), 0)
    const dora = shapes.reduce((sum, [outputs]) => sum + outputs, lora)
    assert.strictEqual(make(model, { rank: 4 }).count, lora)
    assert.strictEqual(make(model, { rank: 4, kind: "dora" }).count, dora)
  })

  it("start from the same numbers for the same seed, from others for another", () => {
    const [first, again, other] = [1, 1, 2].map((seed) => make(tinyLlama(), { rank: 2, seed }))
    assert.deepStrictEqual(again.parameters, first.parameters)
    assert.notDeepEqual(other.parameters, first.parameters)
  })

  const wrong: ReadonlyArray<readonly [string, LowRankOptions, RegExp]> = [
    ["a rank of 0", { rank: 0 }, /rank of the adapters is 0/],
    ["half a rank", { rank: 1.5 }, /whole number from 1/],
    ["a rank above the width", { rank: 13 }, /at most 8.*blocks\.0\.key is 8 × 16/],
    ["an alpha of 0", { rank: 2, alpha: 0 }, /alpha of the adapters is 0, not above 0/],
    [
      "no linears",
      { rank: 2, linears: () => false },
      /one or more.*query, key, value, output, gate, up, down/,
    ],
  ]
  for (const [name, options, says] of wrong) {
    it(`refuse ${name}`, () => {
      const result = makeLowRank(tinyLlama(), options)
      if (Result.isSuccess(result)) return assert.fail("it was accepted")
      assert.match(result.failure.message, says)
    })
  }
})
