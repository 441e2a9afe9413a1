import { assert, describe, it } from "@effect/vitest"
import type { CausalLM } from "@espalier/models"
import { perplexity } from "@espalier/models"
import { layer as wasmLayer } from "@espalier/wasm"
import { readStories, readWindows } from "@espalier/test-models"
import { hasData, needsData } from "@espalier/testing"
import { Effect } from "effect"
import { magnitude } from "./magnitude.ts"
import { maskedLeastSquares } from "./masked_least_squares.ts"
import { prune } from "./prune.ts"
import type { Pruner } from "./pruner.ts"
import { sds } from "./sds.ts"
import { sparseGpt } from "./sparsegpt.ts"
import { parseSparsity } from "./sparsity.ts"
import { wanda } from "./wanda.ts"

const measure = (model: CausalLM, windows = 10_000) =>
  Effect.map(perplexity(model, readWindows(windows, "evaluation")), (found) => found.perplexity)

/** The perplexity of the pruned model by the protocol of `paper.md`. */
const perplexityOf = Effect.fnUntraced(function* (pruner: Pruner, sparsity: number | string) {
  const windows = readWindows(64, "calibration")
  assert.strictEqual(windows.length, 64)
  const options = { sparsity: parseSparsity(sparsity), windows }
  const found = yield* prune(readStories(), pruner, options)
  assert.closeTo(found.sparsity, 0.5, 1e-3)
  return yield* measure(found.model)
}, Effect.scoped)

// The perplexities are those of an independent PyTorch program on the same windows.
describe.skipIf(!hasData)(`pruning stories260K${needsData}`, () => {
  for (const [pruner, sparsity, expected] of [
    [magnitude(), "2:4", 121.8289],
    [wanda(), "2:4", 68.231],
    [sparseGpt(), 0.5, 21.5459],
    [sparseGpt(), "2:4", 37.6087],
  ] as const) {
    it.effect(`to ${sparsity} by ${pruner.name} costs what it should`, () =>
      Effect.gen(function* () {
        const found = yield* perplexityOf(pruner, sparsity)
        assert.closeTo(found / expected, 1, 0.01, `${found}, not ${expected}`)
      }).pipe(Effect.provide(wasmLayer())),
    )
  }

  for (const [start, most] of [
    [wanda(), 33],
    [sparseGpt(), 28.5],
  ] as const) {
    it.effect(`to 2:4 by SDS beats the control by 5 %, from ${start.name}`, () =>
      Effect.gen(function* () {
        const control = yield* perplexityOf(maskedLeastSquares({ start }), "2:4")
        assert.isAtMost(control, most)
        const found = yield* perplexityOf(sds({ start }), "2:4")
        assert.isBelow(found, 0.95 * control)
        if (start.name === "sparsegpt") assert.isAtMost(found, 26.6)
      }).pipe(Effect.provide(wasmLayer())),
    )
  }

  it.effect("by Wanda with few windows is still far better than magnitude", () =>
    Effect.gen(function* () {
      const options = { sparsity: parseSparsity("2:4"), windows: readWindows(4, "calibration") }
      const byWanda = yield* prune(readStories(), wanda(), options)
      const byMagnitude = yield* prune(readStories(), magnitude(), options)
      assert.isBelow(yield* measure(byWanda.model, 8), 0.8 * (yield* measure(byMagnitude.model, 8)))
    }).pipe(Effect.provide(wasmLayer())),
  )

  it.effect("to 4:8 is refused: the hidden width is 172", () =>
    Effect.gen(function* () {
      const options = { sparsity: parseSparsity("4:8") }
      const error = yield* Effect.flip(prune(readStories(), magnitude(), options))
      assert.include(error.message, "blocks.0.down has 172 inputs")
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )
})
