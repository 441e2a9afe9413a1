import { assert, describe, it } from "@effect/vitest"
import type { CausalLM, LlamaParameters } from "@espalier/models"
import { llamaParameterEntries, perplexity, trainLanguageModel } from "@espalier/models"
import { Optimizers } from "@espalier/nn"
import { Checkpoint, makeMemoryCheckpoints, Progress } from "@espalier/runtime"
import type { HostArray } from "@espalier/tensor"
import { Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { readStories, readWindows, tinyLlama } from "@espalier/test-models"
import { hasData, needsData } from "@espalier/testing"
import { Effect } from "effect"
import { fineTune } from "./fine_tune.ts"
import { magnitude } from "./magnitude.ts"
import { prune } from "./prune.ts"
import { countSparsity } from "./report.ts"
import { sparseGpt } from "./sparsegpt.ts"
import { parseSparsity } from "./sparsity.ts"

const wasm = wasmLayer({ poison: true })
const leavesOf = (model: CausalLM) =>
  new Map(llamaParameterEntries(model.parameters as LlamaParameters<HostArray.HostArray>))
const linearsOf = (model: CausalLM) =>
  new Set(model.blocks.flatMap((block) => block.linears.map(({ path }) => path)))
const pruned = (model: CausalLM) =>
  Effect.map(prune(model, magnitude(), { sparsity: parseSparsity("2:4") }), ({ model }) => model)

/** A text of period 7. */
const stream = Int32Array.from({ length: 300 }, (_, i) => [0, 1, 2, 0, 3, 4, 5][i % 7])
/** Decay and clipping that leave no doubt: every step is clipped. */
const options = {
  stream,
  window: 8,
  batch: 4,
  steps: 30,
  learningRate: 5e-3,
  optimizer: Optimizers.adamW({ weightDecay: 0.5 }),
  clip: 0.05,
}

const assertZerosStay = (before: CausalLM, after: CausalLM) => {
  const [old, now] = [leavesOf(before), leavesOf(after)]
  const linears = linearsOf(before)
  for (const [path, { data }] of now) {
    const was = old.get(path)!.data
    let moved = 0
    for (const [i, value] of was.entries()) {
      if (linears.has(path) && value === 0) assert.isTrue(Object.is(data[i], value), path)
      else if (data[i] !== value) moved++
    }
    const rest = linears.has(path) ? was.filter((value) => value !== 0).length : was.length
    assert.isAbove(moved, 0.9 * rest, path)
  }
}

for (const [name, device] of [
  ["wasm", wasm],
  ["the interpreter", Interpreter.layer],
] as const) {
  describe(`fine-tuning a pruned model on ${name}`, () => {
    it.effect("keeps every zero bit for bit, and moves all else", () =>
      Effect.gen(function* () {
        const model = yield* pruned(tinyLlama())
        // A zero with a sign is a zero too.
        const [block] = model.blocks
        const { query } = block.parameters(model.parameters) as Record<string, HostArray.HostArray>
        query.data[query.data.indexOf(0)] = -0
        const found = yield* fineTune(model, { ...options, steps: name === "wasm" ? 30 : 4 })
        assertZerosStay(model, found.model)
        assert.strictEqual(found.sparsity, 0.5)
        assert.isTrue(found.layers.every(({ sparsity }) => sparsity === 0.5))
      }).pipe(Effect.provide(device)),
    )
  })
}

describe("fine-tuning a pruned model", () => {
  it.effect("lowers the loss, by the default optimiser and others", () =>
    Effect.gen(function* () {
      const model = yield* pruned(tinyLlama())
      for (const optimizer of [undefined, Optimizers.sgd()]) {
        const { losses, ...found } = yield* fineTune(model, {
          stream,
          window: 8,
          batch: 4,
          steps: 120,
          learningRate: optimizer === undefined ? 1e-2 : 0.3,
          ...(optimizer === undefined ? {} : { optimizer }),
        })
        const mean = (some: ReadonlyArray<number>) => some.reduce((a, b) => a + b, 0) / some.length
        assert.isBelow(mean(losses.slice(-10)), 0.8 * mean(losses.slice(0, 5)))
        assert.strictEqual(found.sparsity, 0.5)
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("is what training does where nothing was pruned; training alone loses the zeros", () =>
    Effect.gen(function* () {
      const few = { ...options, steps: 5 }
      const dense = tinyLlama()
      const tuned = yield* fineTune(dense, few)
      const trained = yield* trainLanguageModel(dense, few)
      assert.deepStrictEqual(leavesOf(tuned.model), leavesOf(trained.model))
      const lost = yield* trainLanguageModel(yield* pruned(dense), few)
      assert.isBelow(countSparsity(lost.model).sparsity, 0.01)
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("goes on where it was interrupted, with the same bits", () =>
    Effect.gen(function* () {
      const model = yield* pruned(tinyLlama())
      const few = { ...options, steps: 9 }
      const unbroken = yield* fineTune(model, few)
      const kept = Effect.provideService(Checkpoint, makeMemoryCheckpoints())
      const killed = fineTune(model, few).pipe(
        kept,
        Effect.provideService(Progress, {
          report: ({ completed }) => (completed === 4 ? Effect.interrupt : Effect.void),
        }),
      )
      assert.strictEqual((yield* Effect.exit(killed))._tag, "Failure")
      const resumed = yield* fineTune(model, few).pipe(kept)
      assert.deepStrictEqual(leavesOf(resumed.model), leavesOf(unbroken.model))
      assert.deepStrictEqual(resumed.losses, unbroken.losses)
    }).pipe(Effect.provide(wasm)),
  )
})

describe.skipIf(!hasData)(`fine-tuning stories260K${needsData}`, () => {
  it.effect("brings back much of what 2:4 cost, in few steps", () =>
    Effect.gen(function* () {
      const windows = readWindows(64, "calibration")
      const stream = Int32Array.from(windows.flatMap((window) => [...window]))
      const found = yield* prune(readStories(), sparseGpt(), {
        sparsity: parseSparsity("2:4"),
        windows: windows.slice(0, 16),
      })
      const evaluation = readWindows(8, "evaluation")
      const before = yield* perplexity(found.model, evaluation)
      const tuned = yield* fineTune(found.model, {
        stream,
        window: 128,
        batch: 8,
        steps: 40,
        learningRate: 1e-3,
      })
      const after = yield* perplexity(tuned.model, evaluation)
      assert.isBelow(after.perplexity, 0.6 * before.perplexity)
      assert.strictEqual(tuned.sparsity, 0.5)
    }).pipe(Effect.provide(wasmLayer())),
  )
})
