import { assert, describe, it } from "@effect/vitest"
import type { Block, CausalLM } from "@espalier/models"
import { stackWindows } from "@espalier/models"
import { Checkpoint, makeMemoryCheckpoints } from "@espalier/runtime"
import { DeviceArray, HostArray, Interpreter, Program, Tensor } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect } from "effect"
import type { BlockParameters, BlockStore } from "./block_store.ts"
import { makeMemoryStore } from "./block_store.ts"
import { hessianOfInputs } from "./hessian.ts"
import { nothing, squaredInputs } from "./statistic.ts"
import { toyModel, toyWindows } from "./testing/toy_model.ts"
import { walkBlocks, walkStore } from "./walk_blocks.ts"

type Visited = ReadonlyArray<ReadonlyArray<number>>

const scaled = (factor: number, { shape, data }: HostArray.HostArray) =>
  HostArray.make(
    shape,
    Float32Array.from(data, (x) => factor * x),
  )

const ownOf = (block: Block, parameters: unknown) => block.parameters(parameters) as BlockParameters

/** Hidden states after each block, [block][all numbers]; the parameters of each block are given. */
const hiddenStates = Effect.fnUntraced(function* (
  model: CausalLM,
  windows: ReadonlyArray<Int32Array>,
  parameters: unknown = model.parameters,
) {
  const states: Array<ReadonlyArray<number>> = []
  for (const count of model.blocks.keys()) {
    const found = yield* Program.evaluate(() => {
      const lift = (tree: unknown): unknown =>
        typeof tree === "object" && tree !== null && "dtype" in tree
          ? Tensor.fromHost(tree as HostArray.HostArray)
          : Array.isArray(tree)
            ? tree.map(lift)
            : Object.fromEntries(Object.entries(tree as object).map(([k, v]) => [k, lift(v)]))
      const all = lift(parameters)
      let hidden = model.embed(all, Tensor.fromHost(stackWindows(windows)))
      for (const block of model.blocks.slice(0, count + 1)) {
        hidden = block.forward(block.parameters(all) as Record<string, Tensor.Tensor>, hidden)
      }
      return hidden
    })
    states.push(yield* DeviceArray.toArray(found))
  }
  return states
}, Effect.scoped)

const assertClose = (found: Visited, expected: Visited) => {
  assert.strictEqual(found.length, expected.length)
  for (const [i, row] of expected.entries()) {
    assert.strictEqual(found[i].length, row.length)
    row.forEach((x, j) => assert.closeTo(found[i][j], x, 1e-6, `block ${i}`))
  }
}

/** Walks, makes every block's update 1.5 times as large, and keeps both streams. */
const walk = (
  model: CausalLM,
  options: { readonly batch?: number; readonly killAt?: number; readonly targets?: boolean },
) =>
  Effect.gen(function* () {
    const { killAt, ...rest } = options
    const [hidden, targets]: [Array<Array<number>>, Array<Array<number>>] = [[], []]
    const changed = yield* walkBlocks(model, {
      ...rest,
      task: "streams",
      windows: toyWindows(5, 6),
      statistic: nothing,
      visit: Effect.fnUntraced(function* ({ block, parameters, batches, inputs }) {
        if (block.index === killAt) return yield* Effect.fail("killed" as const)
        assert.deepStrictEqual(
          inputs.map(({ statistics }) => statistics),
          [{}, {}],
        )
        const [before, after]: [Array<number>, Array<number>] = [[], []]
        for (const { hidden, target } of batches) {
          before.push(...(yield* DeviceArray.toArray(hidden)))
          if (target !== undefined) after.push(...(yield* DeviceArray.toArray(target)))
        }
        hidden.push(before)
        targets.push(after)
        const { down } = yield* parameters(["down"])
        return { down: scaled(1.5, down) }
      }),
    })
    return { hidden, targets, parameters: changed.parameters }
  }).pipe(Effect.scoped)

describe("walkStore with targets", () => {
  for (const batch of [1, 2, 5]) {
    it.effect(`shows what the unchanged model has after each block, ${batch} at a time`, () =>
      Effect.gen(function* () {
        const model = toyModel([5, 7, 5])
        const { hidden, targets, parameters } = yield* walk(model, { batch, targets: true })
        assertClose(targets, yield* hiddenStates(model, toyWindows(5, 6)))
        // Before a block, the stream is what the changed blocks before it gave.
        const changed = yield* hiddenStates(model, toyWindows(5, 6), parameters)
        assertClose(hidden.slice(1), changed.slice(0, 2))
      }).pipe(Effect.provide(Interpreter.layer)),
    )
  }

  it.effect("has no targets where nobody asked for them", () =>
    Effect.gen(function* () {
      const { targets } = yield* walk(toyModel([5, 5]), {})
      assert.deepStrictEqual(targets, [[], []])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  for (const [name, device] of [
    ["the interpreter", Interpreter.layer],
    ["wasm", wasmLayer({ poison: true, threads: 1 })],
  ] as const) {
    it.effect(`goes on with the same two streams where it was interrupted, on ${name}`, () =>
      Effect.gen(function* () {
        const model = toyModel([5, 7, 5, 5])
        const unbroken = yield* walk(model, { targets: true, batch: 2 })
        const kept = Effect.provideService(Checkpoint, makeMemoryCheckpoints())
        const killed = walk(model, { targets: true, batch: 2, killAt: 2 }).pipe(kept, Effect.flip)
        assert.strictEqual(yield* killed, "killed")
        const resumed = yield* walk(model, { targets: true, batch: 2 }).pipe(kept)
        assert.deepStrictEqual(resumed.parameters, unbroken.parameters)
        assert.deepStrictEqual(resumed.targets, unbroken.targets.slice(2))
        assert.deepStrictEqual(resumed.hidden, unbroken.hidden.slice(2))
      }).pipe(Effect.provide(device)),
    )
  }
})

/** A store that notes what it is asked for, and rounds what it keeps to sixteenths. */
const makeNotingStore = Effect.fnUntraced(function* (model: CausalLM, done = 0) {
  const memory = (yield* makeMemoryStore(model, "noting")).store
  const calls: Array<string> = []
  const kept = new Map<number, BlockParameters>()
  const round = (array: HostArray.HostArray) =>
    HostArray.make(
      array.shape,
      Float32Array.from(array.data, (x) => Math.round(16 * x) / 16),
    )
  const changedOf = (block: Block) => ({
    ...ownOf(block, model.parameters),
    ...kept.get(block.index),
  })
  for (const block of model.blocks.slice(0, done)) {
    kept.set(block.index, { down: round(ownOf(block, model.parameters)["down"]) })
  }
  const store: BlockStore = {
    done,
    outside: (leaves) =>
      Effect.sync(() => {
        calls.push(`outside ${Object.keys(leaves).join()}`)
        return leaves as BlockParameters
      }),
    rows: (leaf, rows) =>
      Effect.suspend(() => {
        calls.push(`rows ${rows.toSorted().join()}`)
        return memory.rows(leaf, rows)
      }),
    original: (block, names) =>
      Effect.sync(() => {
        calls.push(`original ${block.index}`)
        const own = ownOf(block, model.parameters)
        const wanted = names ?? Object.keys(own)
        return Object.fromEntries(wanted.map((name) => [name, own[name]]))
      }),
    changed: (block) =>
      Effect.sync(() => {
        calls.push(`changed ${block.index}`)
        return changedOf(block)
      }),
    keep: (block, changes) =>
      Effect.sync(() => {
        calls.push(`keep ${block.index} ${Object.keys(changes).join()}`)
        kept.set(
          block.index,
          Object.fromEntries(Object.entries(changes).map(([name, array]) => [name, round(array)])),
        )
      }),
    finish: (block) => Effect.sync(() => void calls.push(`finish ${block.index}`)),
  }
  const parameters = () =>
    model.blocks.reduce<unknown>(
      (all, block) => block.replace(all, changedOf(block)),
      model.parameters,
    )
  return { store, calls, parameters }
})

/** A block may be read in as many parts as the walk likes. */
const inOrder = (calls: ReadonlyArray<string>) =>
  calls.filter((call, i) => i === 0 || call !== calls[i - 1])

const visitWith = (model: CausalLM, store: BlockStore, seen: Array<ReadonlyArray<number>>) =>
  walkStore(model, store, {
    task: "store",
    windows: toyWindows(3, 6),
    statistic: squaredInputs,
    visit: Effect.fnUntraced(function* ({ parameters, batches }) {
      seen.push(yield* DeviceArray.toArray(batches[0].hidden))
      const { down } = yield* parameters(["down"])
      return { down: scaled(-0.7, down) }
    }),
  }).pipe(Effect.scoped)

describe("walkStore", () => {
  it.effect(
    "reads a block when it needs it, keeps what changed, and goes on with what was kept",
    () =>
      Effect.gen(function* () {
        const model = toyModel([5, 5, 3])
        const before = structuredClone(model.parameters)
        const { store, calls, parameters } = yield* makeNotingStore(model)
        const seen: Array<ReadonlyArray<number>> = []
        yield* visitWith(model, store, seen)
        assert.deepStrictEqual(inOrder(calls), [
          "rows 0,1,2,3,4,5",
          "original 0",
          "keep 0 down",
          "finish 0",
          "changed 0",
          "original 1",
          "keep 1 down",
          "finish 1",
          "changed 1",
          "original 2",
          "keep 2 down",
          "finish 2",
        ])
        // The store rounds: the next block sees the rounded one.
        const states = yield* hiddenStates(model, toyWindows(3, 6), parameters())
        assertClose(seen.slice(1), states.slice(0, 2))
        assert.deepStrictEqual(model.parameters, before)
      }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("goes on after the blocks that the store has", () =>
    Effect.gen(function* () {
      const model = toyModel([5, 5, 3])
      const { store, calls, parameters } = yield* makeNotingStore(model, 2)
      const seen: Array<ReadonlyArray<number>> = []
      yield* visitWith(model, store, seen)
      assert.deepStrictEqual(inOrder(calls), [
        "rows 0,1,2,3,4,5",
        "changed 0",
        "changed 1",
        "original 2",
        "keep 2 down",
        "finish 2",
      ])
      const states = yield* hiddenStates(model, toyWindows(3, 6), parameters())
      assertClose(seen, [states[1]])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("fails as its store fails", () =>
    Effect.gen(function* () {
      const model = toyModel([5, 5])
      const { store } = yield* makeNotingStore(model)
      const broken: BlockStore<string> = {
        ...store,
        keep: (block) => (block.index === 1 ? Effect.fail("disk full") : Effect.void),
      }
      const visit = () => Effect.succeed({})
      const walked = walkStore(model, broken, {
        task: "store",
        windows: toyWindows(1, 6),
        statistic: nothing,
        visit,
      })
      assert.strictEqual(yield* Effect.flip(walked), "disk full")
    }).pipe(Effect.scoped, Effect.provide(Interpreter.layer)),
  )

  it.effect("names weights that are not finite, and tokens that do not exist", () =>
    Effect.gen(function* () {
      const refused = (model: CausalLM, windows = toyWindows(2, 6)) =>
        walkBlocks(model, {
          task: "refused",
          windows,
          statistic: hessianOfInputs,
          visit: () => Effect.succeed({}),
        }).pipe(Effect.scoped, Effect.flip)
      const inBlock = toyModel([5, 5])
      ownOf(inBlock.blocks[1], inBlock.parameters)["up"].data[7] = Number.NaN
      const first = yield* refused(inBlock)
      if (first._tag !== "NonFiniteValues") return assert.fail(first.message)
      assert.deepStrictEqual([first.tensor, first.what], ["blocks.1.up", "weights"])
      const outside = toyModel([5])
      const { embedding } = outside.parameters as { readonly embedding: HostArray.HostArray }
      embedding.data[0] = Number.POSITIVE_INFINITY
      const second = yield* refused(outside)
      if (second._tag !== "NonFiniteValues") return assert.fail(second.message)
      assert.deepStrictEqual([second.tensor, second.what], ["embedding", "weights"])
      const third = yield* refused(toyModel([5]), [Int32Array.of(1, 6, 2)])
      if (third._tag !== "TokenOutOfRange") return assert.fail(third.message)
      assert.deepStrictEqual([third.token, third.position], [6, 1])
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})

describe("makeMemoryStore", () => {
  it.effect("keeps changes beside the originals", () =>
    Effect.gen(function* () {
      const model = toyModel([5, 5])
      const before = structuredClone(model.parameters)
      const { store, result } = yield* makeMemoryStore(model, "memory")
      assert.strictEqual(store.done, 0)
      const [block, other] = model.blocks
      const original = yield* store.original(block)
      const down = scaled(2, original["down"])
      yield* store.keep(block, { down })
      assert.deepStrictEqual(yield* store.original(block), original)
      assert.deepStrictEqual(yield* store.original(block, ["up"]), { up: original["up"] })
      assert.deepStrictEqual(yield* store.changed(block), { ...original, down })
      assert.deepStrictEqual(ownOf(block, result().parameters), { ...original, down })
      assert.deepStrictEqual(ownOf(other, result().parameters), ownOf(other, model.parameters))
      assert.deepStrictEqual(model.parameters, before)
    }),
  )

  it.effect("knows what a checkpoint has", () =>
    Effect.gen(function* () {
      const model = toyModel([5, 5])
      const [block] = model.blocks
      const up = scaled(3, ownOf(block, model.parameters)["up"])
      const first = yield* makeMemoryStore(model, "memory")
      yield* first.store.keep(block, { up })
      assert.strictEqual((yield* makeMemoryStore(model, "memory")).store.done, 0)
      yield* first.store.finish(block)
      const second = yield* makeMemoryStore(model, "memory")
      assert.strictEqual(second.store.done, 1)
      assert.deepStrictEqual((yield* second.store.changed(block))["up"], up)
      assert.deepStrictEqual(yield* second.store.original(block), ownOf(block, model.parameters))
      yield* second.finish
      assert.strictEqual((yield* makeMemoryStore(model, "memory")).store.done, 0)
    }).pipe(Effect.provideService(Checkpoint, makeMemoryCheckpoints())),
  )
})
