import { assert, describe, it } from "@effect/vitest"
import { perplexity } from "@espalier/models"
import { layer as wasmLayer } from "@espalier/wasm"
import { readStories, readWindows } from "@espalier/test-models"
import { hasData, needsData } from "@espalier/testing"
import { Effect } from "effect"
import { gptq } from "./gptq.ts"
import { hqq } from "./hqq.ts"
import { quantize } from "./quantize.ts"
import type { Quantizer } from "./quantizer.ts"
import { rtn } from "./rtn.ts"
import type { Bits } from "./scheme.ts"

/** The perplexity of the quantised model by the protocol of `paper.md`. */
const perplexityOf = Effect.fnUntraced(function* (quantizer: Quantizer, bits: Bits) {
  const windows = readWindows(64, "calibration")
  assert.strictEqual(windows.length, 64)
  const scheme = { bits, group: "channel", symmetric: false } as const
  const { model } = yield* quantize(readStories(), quantizer, { scheme, windows })
  const found = yield* perplexity(model, readWindows(10_000, "evaluation"))
  return found.perplexity
}, Effect.scoped)

describe.skipIf(!hasData)(`quantising stories260K${needsData}`, () => {
  // The perplexities are those of an independent PyTorch program on the same windows.
  for (const [quantizer, bits, expected] of [
    [rtn(), 8, 4.8307],
    [rtn(), 4, 5.4076],
    [rtn(), 3, 12.7251],
    [gptq(), 4, 5.2006],
    [gptq(), 3, 8.2896],
  ] as const) {
    it.effect(`to ${bits} bits by ${quantizer.name} costs what it should`, () =>
      Effect.gen(function* () {
        const found = yield* perplexityOf(quantizer, bits)
        assert.closeTo(found / expected, 1, 0.01, `${found}, not ${expected}`)
      }).pipe(Effect.provide(wasmLayer())),
    )
  }

  // Ours, on the same windows.
  for (const [quantizer, bits, most] of [
    [rtn({ range: "mse" }), 3, 8.8],
    [hqq(), 4, 5.4],
    [hqq(), 3, 9.2],
  ] as const) {
    it.effect(`to ${bits} bits by ${quantizer.name} with a better range costs less`, () =>
      Effect.gen(function* () {
        assert.isBelow(yield* perplexityOf(quantizer, bits), most)
      }).pipe(Effect.provide(wasmLayer())),
    )
  }

  it.effect("in groups of 32 is refused: the hidden width is 172", () =>
    Effect.gen(function* () {
      const scheme = { bits: 4, group: 32, symmetric: false } as const
      const error = yield* Effect.flip(quantize(readStories(), rtn(), { scheme }))
      assert.include(error.message, "blocks.0.down has 172 inputs")
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )
})
