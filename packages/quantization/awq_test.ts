import { assert, describe, it } from "@effect/vitest"
import type { CausalLM } from "@espalier/models"
import { HostArray } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { tinyWindows } from "@espalier/test-models"
import { Effect } from "effect"
import { awq, awqScales } from "./awq.ts"
import { gptq } from "./gptq.ts"
import { quantize } from "./quantize.ts"
import { dequantize } from "./quantized_weight.ts"
import type { Quantizer } from "./quantizer.ts"
import { rtn } from "./rtn.ts"
import type { Scheme } from "./scheme.ts"
import { tinyLlama } from "./testing/tiny_llama.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const windows = tinyWindows(7)
const groups = [["query", "key", "value"], ["output"], ["gate", "up"], ["down"]]

/** A model in which a few inputs of linears are far larger than the others. */
const outlierLlama = (): CausalLM => {
  const model = tinyLlama()
  const larger = ({ shape, data }: HostArray.HostArray) =>
    HostArray.make(
      shape,
      Float32Array.from(data, (x, i) => (i % 11 === 3 ? 20 : 1) * (x + Math.sign(x))),
    )
  const blocks = model.parameters.blocks.map((block) => ({
    ...block,
    attentionNorm: larger(block.attentionNorm),
    feedForwardNorm: larger(block.feedForwardNorm),
  }))
  return model.withParameters({ ...model.parameters, blocks })
}

const run = (quantizer: Quantizer, scheme: Scheme, model = outlierLlama()) =>
  quantize(model, quantizer, { scheme, windows, layerErrors: true })

describe("AWQ", () => {
  it("scales by powers of the inputs' size, around 1", () => {
    const squares = Float32Array.of(16, 1, 0, 4)
    assert.deepStrictEqual(awqScales(squares, 0), Float32Array.of(1, 1, 1, 1))
    assert.deepStrictEqual(awqScales(squares, 1), Float32Array.of(2, 0.5, 1, 1))
    const half = awqScales(squares, 0.5)
    assert.closeTo(half[0], Math.SQRT2, 1e-6)
    assert.deepStrictEqual(awqScales(new Float32Array(3), 1), Float32Array.of(1, 1, 1))
    // How many tokens there are does not matter.
    assert.deepStrictEqual(
      awqScales(
        squares.map((square) => 64 * square),
        1,
      ),
      awqScales(squares, 1),
    )
  })

  for (const scheme of [
    { bits: 3, group: "channel", symmetric: false },
    { bits: 4, group: 32, symmetric: true },
  ] as const) {
    it.effect(`loses no more of a layer than RTN, to ${scheme.bits} bits`, () =>
      Effect.gen(function* () {
        const errorsOf = (quantizer: Quantizer) =>
          Effect.map(
            run(quantizer, scheme),
            ({ layers }) => new Map(layers.map(({ layer, error }) => [layer, error!])),
          )
        const [found, nearest] = [yield* errorsOf(awq()), yield* errorsOf(rtn())]
        const sum = (errors: ReadonlyMap<string, number>, names: ReadonlyArray<string>) =>
          names.reduce((total, name) => total + errors.get(`blocks.0.${name}`)!, 0)
        // The rows of `up` take up the scales of `down`: that is another weighing of its outputs.
        for (const names of groups.filter((each) => !each.includes("up"))) {
          assert.isAtMost(sum(found, names), 1.001 * sum(nearest, names))
        }
        assert.isBelow(sum(found, groups[0]), 0.99 * sum(nearest, groups[0]))
        assert.isBelow(sum(found, groups.flat()), 0.99 * sum(nearest, groups.flat()))
      }).pipe(Effect.provide(wasm)),
    )
  }

  it.effect("changes gains, and linears to what their codes stand for", () =>
    Effect.gen(function* () {
      const scheme: Scheme = { bits: 4, group: 32, symmetric: false }
      const { weights, model } = yield* run(awq(), scheme)
      const dense = outlierLlama().parameters
      for (const block of model.blocks) {
        const own = block.parameters(model.parameters)
        for (const { name, path } of block.linears) {
          assert.deepStrictEqual(own[name], dequantize(weights.get(path)!))
        }
        const before = block.parameters(dense)
        assert.notDeepEqual(own["attentionNorm"], before["attentionNorm"])
        assert.notDeepEqual(own["feedForwardNorm"], before["feedForwardNorm"])
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("goes before GPTQ as well", () =>
    Effect.gen(function* () {
      const scheme: Scheme = { bits: 3, group: "channel", symmetric: false }
      const errorOf = (quantizer: Quantizer) =>
        Effect.map(run(quantizer, scheme), ({ layers }) =>
          layers.reduce((sum, { error = Number.NaN }) => sum + error, 0),
        )
      const both = yield* errorOf(awq({ quantizer: gptq() }))
      assert.isBelow(both, yield* errorOf(awq()))
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("needs text", () =>
    Effect.gen(function* () {
      const scheme: Scheme = { bits: 4, group: "channel", symmetric: false }
      const error = yield* Effect.flip(quantize(tinyLlama(), awq(), { scheme }))
      assert.strictEqual(error._tag, "CalibrationMissing")
    }).pipe(Effect.provide(wasm)),
  )
})
