import { assert, describe, it } from "@effect/vitest"
import type { CausalLM, LlamaParameters } from "@espalier/models"
import { llamaParameterEntries } from "@espalier/models"
import { Checkpoint, makeMemoryCheckpoints, Progress } from "@espalier/runtime"
import type { HostArray } from "@espalier/tensor"
import { Device } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { tinyWindows } from "@espalier/test-models"
import { Effect } from "effect"
import { gptq } from "./gptq.ts"
import { hqq } from "./hqq.ts"
import { quantize } from "./quantize.ts"
import { dequantize } from "./quantized_weight.ts"
import type { Quantizer } from "./quantizer.ts"
import { rtn } from "./rtn.ts"
import type { Scheme } from "./scheme.ts"
import { tinyLlama } from "./testing/tiny_llama.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const windows = tinyWindows(7)
const inGroups: Scheme = { bits: 4, group: 32, symmetric: false }
const leavesOf = (model: CausalLM) =>
  new Map(llamaParameterEntries(model.parameters as LlamaParameters<HostArray.HostArray>))
const linearsOf = (model: CausalLM) =>
  new Set(model.blocks.flatMap((block) => block.linears.map(({ path }) => path)))
const run = (model: CausalLM, quantizer: Quantizer, scheme: Scheme = inGroups) =>
  quantize(model, quantizer, { scheme, windows })

const quantizers = [
  rtn(),
  rtn({ range: "mse" }),
  hqq(),
  gptq(),
  gptq({ activationOrder: true }),
  gptq({ keep: { keep: 2, of: 4 } }),
]

for (const quantizer of quantizers) {
  describe(`quantisation by ${quantizer.name}`, () => {
    it.effect("changes linears only, to what their codes stand for, and reports each", () =>
      Effect.gen(function* () {
        const model = tinyLlama({ tiedEmbeddings: false })
        const before = structuredClone(leavesOf(model))
        const linears = linearsOf(model)
        const found = yield* run(model, quantizer)
        assert.deepStrictEqual(leavesOf(model), before)
        for (const [path, { data }] of leavesOf(found.model)) {
          const codes = found.weights.get(path)
          assert.strictEqual(codes !== undefined, linears.has(path), path)
          const expected = codes === undefined ? before.get(path)! : dequantize(codes)
          assert.deepStrictEqual(data, expected.data, path)
        }
        assert.deepStrictEqual(new Set(found.layers.map(({ layer }) => layer)), linears)
        // 4 bits, and 16 + 4 for every 32 weights.
        assert.closeTo(found.bitsPerWeight, 4.625, 1e-12)
        for (const layer of found.layers) assert.strictEqual(layer.bitsPerWeight, 4.625)
      }).pipe(Effect.provide(wasm)),
    )

    it.effect("refuses bits, groups and widths that cannot be had before anything runs", () =>
      Effect.gen(function* () {
        const { statistics } = yield* Device
        const problemOf = (scheme: Readonly<Record<string, unknown>>, hiddenDimension: number) =>
          Effect.flip(
            run(tinyLlama({ hiddenDimension }), quantizer, {
              ...inGroups,
              ...scheme,
            }),
          )
        for (const bits of [1, 9]) {
          const problem = yield* problemOf({ bits }, 64)
          assert.strictEqual(problem._tag, "InvalidScheme")
          assert.strictEqual(problem.message, `bits ${bits} cannot be had. Take 2, 3, 4 or 8.`)
        }
        assert.strictEqual((yield* problemOf({ group: 48 }, 48))._tag, "InvalidScheme")
        const problem = yield* problemOf({}, 172)
        if (problem._tag !== "GroupWidthMismatch") return assert.fail(problem.message)
        assert.deepStrictEqual(
          [problem.tensor, problem.width, problem.group],
          ["blocks.0.down", 172, 32],
        )
        assert.strictEqual(statistics().dispatches, 0)
      }).pipe(Effect.provide(wasm)),
    )

    it.effect("names a weight that is NaN or infinite", () =>
      Effect.gen(function* () {
        for (const [path, value] of [
          ["blocks.1.gate", Number.NaN],
          ["blocks.0.output", Number.NEGATIVE_INFINITY],
        ] as const) {
          const model = tinyLlama()
          leavesOf(model).get(path)!.data[3] = value
          const error = yield* Effect.flip(run(model, quantizer))
          if (error._tag !== "NonFiniteValues") return assert.fail(error.message)
          assert.deepStrictEqual([error.tensor, error.what, error.count], [path, "weights", 1])
        }
      }).pipe(Effect.provide(wasm)),
    )

    it.effect("names weights that are too small for a scale; zeros are not", () =>
      Effect.gen(function* () {
        const model = tinyLlama()
        const { data } = leavesOf(model).get("blocks.1.up")!
        data.fill(0, 5 * 32, 6 * 32)
        // A row of zeros is no problem: its codes are its zero point.
        const sound = yield* run(model, quantizer)
        const { codes, zeros } = sound.weights.get("blocks.1.up")!
        assert.isTrue(codes.subarray(5 * 32, 6 * 32).every((code) => code === zeros[5]))
        data.fill(1e-42, 5 * 32, 6 * 32)
        const error = yield* Effect.flip(run(model, quantizer))
        if (error._tag !== "ScaleUnderflow") return assert.fail(error.message)
        assert.deepStrictEqual([error.tensor, error.output, error.group], ["blocks.1.up", 5, 0])
      }).pipe(Effect.provide(wasm)),
    )

    it.effect("gives all its memory back, reports every block, leaves no checkpoint", () =>
      Effect.gen(function* () {
        const { statistics } = yield* Device
        const before = statistics().liveBytes
        const seen: Array<number> = []
        const kept = makeMemoryCheckpoints()
        yield* run(tinyLlama(), quantizer).pipe(
          Effect.scoped,
          Effect.provideService(Checkpoint, kept),
          Effect.provideService(Progress, {
            report: ({ completed }) => Effect.sync(() => void seen.push(completed)),
          }),
        )
        assert.deepStrictEqual(seen, [1, 2])
        assert.strictEqual(statistics().liveBytes, before)
        assert.strictEqual((yield* kept.load(quantizer.name))._tag, "None")
      }).pipe(Effect.provide(wasm)),
    )
  })
}

describe("quantisation", () => {
  for (const quantizer of [rtn(), hqq()]) {
    it.effect(`by ${quantizer.name} needs no text`, () =>
      Effect.gen(function* () {
        const without = yield* quantize(tinyLlama(), quantizer, { scheme: inGroups })
        const { weights } = yield* run(tinyLlama(), quantizer)
        assert.deepStrictEqual(without.weights, weights)
      }).pipe(Effect.provide(wasm)),
    )
  }

  it.effect("by GPTQ does", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(quantize(tinyLlama(), gptq(), { scheme: inGroups }))
      assert.strictEqual(error._tag, "CalibrationMissing")
      assert.strictEqual(error.message, "gptq needs a text to calibrate on")
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("measures what each layer loses, and GPTQ loses less", () =>
    Effect.gen(function* () {
      const errorsOf = (quantizer: Quantizer) =>
        Effect.map(
          quantize(tinyLlama(), quantizer, { scheme: inGroups, windows, layerErrors: true }),
          ({ layers }) => layers.map(({ error = Number.NaN }) => error),
        )
      const [byGptq, byRtn] = [yield* errorsOf(gptq()), yield* errorsOf(rtn())]
      assert.isTrue([...byGptq, ...byRtn].every((error) => error > 0 && error < 0.05))
      const mean = (errors: ReadonlyArray<number>) => errors.reduce((a, b) => a + b, 0)
      assert.isBelow(mean(byGptq), 0.7 * mean(byRtn))
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("of a width that no group divides is possible per channel", () =>
    Effect.gen(function* () {
      const scheme: Scheme = { bits: 3, group: "channel", symmetric: true }
      const found = yield* run(tinyLlama({ hiddenDimension: 43 }), rtn(), scheme)
      const down = found.layers.find(({ layer }) => layer === "blocks.0.down")
      assert.strictEqual(down?.bitsPerWeight, 3 + 16 / 43)
    }).pipe(Effect.provide(wasm)),
  )
})
