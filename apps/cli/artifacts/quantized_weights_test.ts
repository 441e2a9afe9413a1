import { assert, describe, it } from "@effect/vitest"
import type { QuantizedWeight, Scheme } from "@espalier/quantization"
import { dequantize, matrixOf } from "@espalier/quantization"
import { Effect, Result } from "effect"
import { makeRandomNumbers } from "../random_numbers.ts"
import { makeTinyModel } from "../testing/tiny_model.ts"
import { Model } from "./model.ts"
import {
  decodeQuantizedWeights,
  encodeQuantizedWeights,
  standFor,
  weightsOf,
} from "./quantized_weights.ts"

const random = makeRandomNumbers(3)

const randomWeight = (
  shape: readonly [outputs: number, inputs: number],
  scheme: Scheme,
): QuantizedWeight => {
  const levels = 2 ** scheme.bits
  const perOutput = scheme.group === "channel" ? 1 : shape[1] / scheme.group
  const codes = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * levels))
  return {
    shape,
    scheme,
    codes: codes(shape[0] * shape[1]),
    scales: Float32Array.from({ length: shape[0] * perOutput }, () => random() + 0.1),
    zeros: scheme.symmetric
      ? new Uint8Array(shape[0] * perOutput).fill(levels / 2)
      : codes(shape[0] * perOutput),
  }
}

const weights = new Map<string, QuantizedWeight>([
  ["blocks.0.query", randomWeight([8, 8], { bits: 3, group: "channel", symmetric: false })],
  ["blocks.0.down", randomWeight([8, 64], { bits: 8, group: 32, symmetric: true })],
  ["blocks.1.down", randomWeight([8, 128], { bits: 2, group: 64, symmetric: false })],
])

/** As files come from a disk: parts of larger buffers, whose `slice` does not copy. */
const asRead = (files: Readonly<Record<string, Uint8Array>>) =>
  Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => [
      name,
      Buffer.concat([Buffer.of(1), bytes]).subarray(1),
    ]),
  )

describe("codes of a model", () => {
  it("come back from their files as they were, whatever their schemes", () => {
    const files = asRead(encodeQuantizedWeights(weights))
    const back = Result.getOrThrow(decodeQuantizedWeights(files, "here"))
    assert.deepStrictEqual(back, weights)
  })

  it.effect("go with the model, and models without them have none", () =>
    Effect.gen(function* () {
      const tiny = makeTinyModel()
      const plain = yield* Model.decode(yield* Model.encode(tiny))
      assert.notProperty(plain, "quantized")
      const after = yield* Model.decode(
        asRead(yield* Model.encode({ ...tiny, quantized: weights })),
      )
      assert.deepStrictEqual(after.quantized, weights)
    }),
  )

  it("come from matrices of other layouts where a scheme has their groups", () => {
    const matrices = new Map([...weights].map(([path, weight]) => [path, matrixOf(weight)]))
    assert.deepStrictEqual(weightsOf(matrices), weights)
    const odd = { ...matrixOf(weights.get("blocks.0.query")!), groupSize: 4 }
    assert.strictEqual(weightsOf(new Map([["odd", odd]])).size, 0)
  })

  it("are known as those of a model by its weights, bit for bit", () => {
    const { model } = makeTinyModel()
    const query = weights.get("blocks.0.query")!
    const own = new Map([["blocks.0.query", query]])
    assert.isFalse(standFor(own, model))
    model.parameters.blocks[0].query.data.set(dequantize(query).data)
    assert.isTrue(standFor(own, model))
    assert.isFalse(standFor(weights, model))
  })

  it("are refused where files are damaged, with what is wrong", () => {
    const files = encodeQuantizedWeights(weights)
    const { "quantized.json": schemes, "quantized.safetensors": tensors } = files
    const text = new TextDecoder().decode(schemes)
    const withText = (from: RegExp, to: string) => ({
      ...files,
      "quantized.json": new TextEncoder().encode(text.replace(from, to)),
    })
    const cases: ReadonlyArray<readonly [Readonly<Record<string, Uint8Array>>, RegExp]> = [
      [{ "quantized.json": schemes }, /quantized\.safetensors and quantized\.json.*one of them/],
      [{ "quantized.safetensors": tensors }, /one of them/],
      [withText(/3/, "5"), /quantized\.json: expected bits, group and symmetric/],
      [withText(/^\{/, ""), /quantized\.json/],
      [withText(/"bits": 3/, '"bits": 2'), /blocks\.0\.query.*a code is not below 4/],
      [withText(/blocks\.0\.query/, "blocks.0.key"), /scales and zeros of blocks\.0\.key/],
      [withText(/32/, "64"), /blocks\.0\.down.*16 scales, not 8/],
      [{ ...files, "quantized.safetensors": tensors.subarray(0, 99) }, /quantized\.safetensors/],
    ]
    for (const [damaged, says] of cases) {
      const decoded = decodeQuantizedWeights(damaged, "here")
      if (!Result.isFailure(decoded)) assert.fail(`${says} passed`)
      assert.match(decoded.failure.message, says)
    }
  })
})
