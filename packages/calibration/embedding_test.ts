import { assert, describe, it } from "@effect/vitest"
import type { CausalLM } from "@espalier/models"
import { stackWindows } from "@espalier/models"
import { DeviceArray, HostArray, Interpreter, Program, Tensor, Tree } from "@espalier/tensor"
import { Effect } from "effect"
import { makeMemoryStore } from "./block_store.ts"
import { embeddingParameters, embedWindows, outsideBlocks } from "./embedding.ts"
import { toyModel, toyWindows } from "./testing/toy_model.ts"

const table = (rows: number, seed: number) =>
  HostArray.make(
    [rows, 4],
    Float32Array.from({ length: rows * 4 }, (_, i) => Math.sin(seed + i)),
  )

interface Parameters<A> {
  readonly embedding: A
  readonly positions: A
  readonly gains: A
  readonly head: A
}

/** Token table, learned positions, gains by token, and a head that embedding does not use. */
const withPositions = (gainsAreMixed: boolean): CausalLM => {
  const model = toyModel([5])
  return {
    ...model,
    parameters: {
      ...(model.parameters as object),
      positions: table(16, 1),
      gains: table(6, 2),
      head: table(6, 3),
    },
    embed: (tree, tokens) => {
      const { embedding, positions, gains } = tree as Parameters<Tensor.Tensor>
      const rows = Tensor.take(positions, Tensor.iota([tokens.shape[1]], 0))
      const gain = Tensor.take(gains, tokens)
      const mixed = gainsAreMixed ? Tensor.mul(gain, Tensor.mean(gains)) : gain
      return Tensor.add(Tensor.mul(Tensor.take(embedding, tokens), mixed), rows)
    },
  }
}

/** All windows at once, from all parameters. */
const expected = (model: CausalLM, windows: ReadonlyArray<Int32Array>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const found = yield* Program.evaluate(() =>
        model.embed(
          Tree.map(outsideBlocks(model), (leaf: HostArray.HostArray) => Tensor.fromHost(leaf)),
          Tensor.fromHost(stackWindows(windows)),
        ),
      )
      return yield* DeviceArray.toArray(found)
    }),
  )

describe("embeddingParameters", () => {
  it("tells tables that tokens look up from what is used otherwise or not at all", () => {
    const { whole, tables } = embeddingParameters(withPositions(false))
    assert.deepStrictEqual(Object.keys(whole), ["positions"])
    assert.deepStrictEqual(Object.keys(tables).sort(), ["embedding", "gains"])
  })

  it("finds no tables where tokens look up what is needed as a whole too", () => {
    const { whole, tables } = embeddingParameters(withPositions(true))
    assert.deepStrictEqual(Object.keys(whole).sort(), ["embedding", "gains", "positions"])
    assert.deepStrictEqual(tables, {})
  })
})

describe("embedWindows", () => {
  for (const [name, model] of [
    ["a table", toyModel([5])],
    ["two tables and positions", withPositions(false)],
    ["a table that is needed as a whole", withPositions(true)],
  ] as const) {
    it.effect(`gives what the model gives, with ${name}`, () =>
      Effect.gen(function* () {
        const { store } = yield* makeMemoryStore(model, "embedding")
        const windows = toyWindows(5, 6)
        const batches = yield* embedWindows(model, store, windows, 2)
        assert.deepStrictEqual(
          batches.map(({ shape }) => shape),
          [
            [2, 6, 4],
            [2, 6, 4],
            [1, 6, 4],
          ],
        )
        const found = yield* Effect.forEach(batches, (batch) => DeviceArray.toArray(batch))
        const wanted = yield* expected(model, windows)
        found.flat().forEach((x, i) => assert.closeTo(x, wanted[i], 1e-6))
      }).pipe(Effect.scoped, Effect.provide(Interpreter.layer)),
    )
  }

  it.effect("asks for each token's row once, and for no other", () =>
    Effect.gen(function* () {
      const model = toyModel([5])
      const { store } = yield* makeMemoryStore(model, "embedding")
      const asked: Array<number> = []
      const rows: typeof store.rows = (leaf, given) => {
        asked.push(...given)
        return store.rows(leaf, given)
      }
      const outside = () => assert.fail("nothing else is needed")
      const windows = [Int32Array.of(5, 2, 2), Int32Array.of(0, 5, 2)]
      const [hidden] = yield* embedWindows(model, { outside, rows }, windows, 8)
      assert.deepStrictEqual(asked, [5, 2, 0])
      assert.deepStrictEqual(yield* DeviceArray.toArray(hidden), yield* expected(model, windows))
    }).pipe(Effect.scoped, Effect.provide(Interpreter.layer)),
  )
})
