import { assert, describe, it } from "@effect/vitest"
import type { CausalLM, LlamaParameters } from "@espalier/models"
import { llamaParameterEntries, perplexity } from "@espalier/models"
import { Checkpoint, makeMemoryCheckpoints, Progress } from "@espalier/runtime"
import type { HostArray } from "@espalier/tensor"
import { Device, Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect } from "effect"
import { pruneMagnitude } from "./magnitude.ts"
import { countSparsity } from "./report.ts"
import { parseSparsity } from "./sparsity.ts"
import {
  hasData,
  needsData,
  readStories,
  readWindows,
  tinyLlama,
  tinyWindows,
} from "./testing/data.ts"
import { rowsOf } from "./testing/evaluate.ts"
import { pruneWanda } from "./wanda.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const windows = tinyWindows(7)
const leavesOf = (model: CausalLM) =>
  new Map(llamaParameterEntries(model.parameters as LlamaParameters<HostArray.HostArray>))
const linearsOf = (model: CausalLM) =>
  new Set(model.blocks.flatMap((block) => block.linears.map(({ path }) => path)))

const methods = [
  [
    "magnitude",
    (model: CausalLM, sparsity: number | string) => pruneMagnitude(model, parseSparsity(sparsity)),
  ],
  [
    "Wanda",
    (model: CausalLM, sparsity: number | string) =>
      pruneWanda(model, { sparsity: parseSparsity(sparsity), windows }),
  ],
] as const

for (const [name, prune] of methods) {
  describe(`pruning by ${name}`, () => {
    it.effect("at sparsity 0 returns every weight bit for bit", () =>
      Effect.gen(function* () {
        const model = tinyLlama()
        const found = yield* prune(model, 0)
        assert.deepStrictEqual(leavesOf(found.model), leavesOf(model))
        assert.strictEqual(found.sparsity, 0)
      }).pipe(Effect.provide(wasm)),
    )

    it.effect("at sparsity 1 leaves no weight of a linear", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* prune(tinyLlama(), 1)).sparsity, 1)
      }).pipe(Effect.provide(wasm)),
    )

    it.effect("changes linears only, and a weight either stays or becomes 0", () =>
      Effect.gen(function* () {
        const model = tinyLlama({ tiedEmbeddings: false })
        const before = leavesOf(model)
        const linears = linearsOf(model)
        const found = yield* prune(model, 0.5)
        assert.strictEqual(linears.size, 14)
        for (const [path, { data }] of leavesOf(found.model)) {
          const old = before.get(path)!.data
          if (linears.has(path)) {
            assert.isTrue(
              data.every((w, i) => w === 0 || w === old[i]),
              path,
            )
          } else assert.deepStrictEqual(data, old, path)
        }
        for (const layer of found.layers) {
          assert.isTrue(linears.has(layer.layer))
          assert.strictEqual(layer.sparsity, 0.5)
        }
      }).pipe(Effect.provide(wasm)),
    )

    it.effect("keeps exactly N of every aligned M", () =>
      Effect.gen(function* () {
        for (const [sparsity, keep, of] of [
          ["2:4", 2, 4],
          ["1:4", 1, 4],
          ["5:8", 5, 8],
        ] as const) {
          const { model } = yield* prune(tinyLlama(), sparsity)
          const leaves = leavesOf(model)
          for (const path of linearsOf(model)) {
            for (const group of rowsOf(Array.from(leaves.get(path)!.data), of)) {
              assert.strictEqual(group.filter((w) => w !== 0).length, keep, path)
            }
          }
        }
      }).pipe(Effect.provide(wasm)),
    )

    it.effect("refuses a width that M does not divide, by name, before anything runs", () =>
      Effect.gen(function* () {
        const model = tinyLlama({ hiddenDimension: 172 })
        const error = yield* Effect.flip(prune(model, "4:8"))
        if (error._tag !== "SparsityWidthMismatch") return assert.fail(error.message)
        assert.deepStrictEqual([error.tensor, error.width], ["blocks.0.down", 172])
        assert.strictEqual((yield* Device).statistics().dispatches, 0)
      }).pipe(Effect.provide(wasm)),
    )

    it.effect("gives all its memory back and reports every block", () =>
      Effect.gen(function* () {
        const { statistics } = yield* Device
        const before = statistics().liveBytes
        const seen: Array<number> = []
        yield* prune(tinyLlama(), 0.5).pipe(
          Effect.provideService(Progress, {
            report: ({ completed }) => Effect.sync(() => void seen.push(completed)),
          }),
        )
        assert.deepStrictEqual(seen, [1, 2])
        assert.strictEqual(statistics().liveBytes, before)
      }).pipe(Effect.provide(wasm)),
    )
  })
}

describe("Wanda", () => {
  const masksOf = ({ model }: { readonly model: CausalLM }) => {
    const leaves = leavesOf(model)
    return [...linearsOf(model)].map((path) => Array.from(leaves.get(path)!.data, (w) => w === 0))
  }

  for (const [name, device] of [
    ["the interpreter", Interpreter.layer],
    ["wasm", wasm],
  ] as const) {
    it.effect(`chooses the same weights whatever the batch, on ${name}`, () =>
      Effect.gen(function* () {
        for (const text of [0.5, "2:4"]) {
          const sparsity = parseSparsity(text)
          const whole = yield* pruneWanda(tinyLlama(), { sparsity, windows, batch: 7 })
          for (const batch of [1, 3]) {
            const found = yield* pruneWanda(tinyLlama(), { sparsity, windows, batch })
            assert.deepStrictEqual(masksOf(found), masksOf(whole))
          }
        }
      }).pipe(Effect.provide(device)),
    )
  }

  it.effect("chooses other weights than magnitude", () =>
    Effect.gen(function* () {
      const sparsity = parseSparsity("2:4")
      const wanda = yield* pruneWanda(tinyLlama(), { sparsity, windows })
      assert.notDeepEqual(masksOf(wanda), masksOf(yield* pruneMagnitude(tinyLlama(), sparsity)))
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("goes on after the last finished block where it was interrupted", () =>
    Effect.gen(function* () {
      const options = { sparsity: parseSparsity("2:4"), windows }
      const unbroken = yield* pruneWanda(tinyLlama(), options)
      const kept = Effect.provideService(Checkpoint, makeMemoryCheckpoints())
      const killed = pruneWanda(tinyLlama(), options).pipe(
        kept,
        Effect.provideService(Progress, { report: () => Effect.interrupt }),
      )
      assert.strictEqual((yield* Effect.exit(killed))._tag, "Failure")
      const resumed = yield* pruneWanda(tinyLlama(), options).pipe(kept)
      assert.deepStrictEqual(leavesOf(resumed.model), leavesOf(unbroken.model))
    }).pipe(Effect.provide(wasm)),
  )
})

describe("countSparsity", () => {
  it("counts the zeros of the linears only", () => {
    const { sparsity, layers } = countSparsity(tinyLlama())
    assert.strictEqual(sparsity, 0)
    assert.strictEqual(layers.length, 14)
    assert.deepStrictEqual(layers[0], { layer: "blocks.0.query", zeros: 0, size: 256, sparsity: 0 })
  })
})

// The perplexities are those of an independent PyTorch program on the same windows.
describe.skipIf(!hasData)(`pruning stories260K${needsData}`, () => {
  const measure = (model: CausalLM) => perplexity(model, readWindows(10_000, "evaluation"))
  const assertWithin = (found: number, expected: number) =>
    assert.closeTo(found / expected, 1, 0.01, `${found}, not ${expected}`)

  it.effect("to 2:4 by magnitude costs what it should", () =>
    Effect.gen(function* () {
      const { model, sparsity } = yield* pruneMagnitude(readStories(), parseSparsity("2:4"))
      assert.strictEqual(sparsity, 0.5)
      assertWithin((yield* measure(model)).perplexity, 121.8289)
    }).pipe(Effect.provide(wasmLayer())),
  )

  it.effect("to 2:4 by Wanda costs what it should", () =>
    Effect.gen(function* () {
      const calibration = readWindows(64, "calibration")
      assert.strictEqual(calibration.length, 64)
      const options = { sparsity: parseSparsity("2:4"), windows: calibration }
      const { model, sparsity } = yield* pruneWanda(readStories(), options)
      assert.strictEqual(sparsity, 0.5)
      assertWithin((yield* measure(model)).perplexity, 68.231)
    }).pipe(Effect.provide(wasmLayer())),
  )

  it.effect("by Wanda with few windows is still far better than magnitude", () =>
    Effect.gen(function* () {
      const options = { sparsity: parseSparsity("2:4"), windows: readWindows(4, "calibration") }
      const { model } = yield* pruneWanda(readStories(), options)
      const { perplexity: found } = yield* perplexity(model, readWindows(8, "evaluation"))
      const magnitude = yield* pruneMagnitude(readStories(), options.sparsity)
      const { perplexity: other } = yield* perplexity(magnitude.model, readWindows(8, "evaluation"))
      assert.isBelow(found, 0.8 * other)
    }).pipe(Effect.provide(wasmLayer())),
  )

  it.effect("to 4:8 is refused: the hidden width is 172", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(pruneMagnitude(readStories(), parseSparsity("4:8")))
      assert.include(error.message, "blocks.0.down has 172 inputs")
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )
})
