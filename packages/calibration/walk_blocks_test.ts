import { assert, describe, it } from "@effect/vitest"
import type { CausalLM } from "@espalier/models"
import type { ProgressUpdate } from "@espalier/runtime"
import { Checkpoint, makeMemoryCheckpoints, Progress } from "@espalier/runtime"
import type { DeviceService } from "@espalier/tensor"
import { Device, DeviceArray, Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect } from "effect"
import { squaredInputs } from "./statistic.ts"
import { toyModel, toyWindows, walkByHand } from "./testing/toy_model.ts"
import type { BlockParameters } from "./block_store.ts"
import { walkBlocks } from "./walk_blocks.ts"

/** Turns the block's update around and makes it larger: whoever goes on with it must notice. */
const change = ({ down }: BlockParameters): BlockParameters => ({
  down: { ...down, data: down.data.map((x) => -1.5 * x) },
})

interface Seen {
  readonly block: number
  readonly samples: number
  readonly up: ReadonlyArray<number>
  readonly down: ReadonlyArray<number>
}

/** Walks, changes every block, and keeps what was seen. `killAt` fails in the visit of that block. */
const walk = (
  model: CausalLM,
  windows: ReadonlyArray<Int32Array>,
  options: { readonly batch?: number; readonly killAt?: number } = {},
) =>
  Effect.gen(function* () {
    const { killAt, ...rest } = options
    const seen: Array<Seen> = []
    const changed = yield* walkBlocks(model, {
      ...rest,
      task: "test",
      windows,
      statistic: squaredInputs,
      visit: Effect.fnUntraced(function* ({ block, parameters, inputs, samples }) {
        if (block.index === killAt) return yield* Effect.fail("killed" as const)
        assert.deepStrictEqual(
          inputs.map(({ linears }) => linears.map(({ path }) => path)),
          [[`blocks.${block.index}.up`], [`blocks.${block.index}.down`]],
        )
        const up = yield* DeviceArray.toArray(inputs[0].statistics["squares"])
        const down = yield* DeviceArray.toArray(inputs[1].statistics["squares"])
        seen.push({ block: block.index, samples, up, down })
        return change(yield* parameters())
      }),
    })
    return { parameters: changed.parameters, seen }
  }).pipe(Effect.scoped)

const assertSeen = (found: ReadonlyArray<Seen>, expected: ReturnType<typeof walkByHand>) => {
  assert.strictEqual(found.length, expected.length)
  for (const [i, { up, down }] of found.entries()) {
    up.forEach((x, j) => assert.closeTo(x, expected[i].up[j], 1e-9, `up of block ${i}`))
    down.forEach((x, j) => assert.closeTo(x, expected[i].down[j], 1e-9, `down of block ${i}`))
  }
}

const handWalk = (model: CausalLM, windows: ReadonlyArray<Int32Array>) =>
  walkByHand(model, windows, (own) => ({ ...own, ...change({ ...own }) }))

/** The device of the context, and the most bytes it ever held. */
const watchPeak = Effect.map(Device, (device) => {
  let peak = 0
  const look = () => {
    peak = Math.max(peak, device.statistics().liveBytes)
  }
  const watched: DeviceService = {
    ...device,
    info: device.info,
    allocate: (dtype, length) =>
      Effect.tap(device.allocate(dtype, length), () => Effect.sync(look)),
    compile: (schedule) => Effect.tap(device.compile(schedule), () => Effect.sync(look)),
  }
  return { watched, peak: () => peak }
})

const bytesOf = (tree: unknown): number =>
  JSON.stringify(tree, (_, value) => (ArrayBuffer.isView(value) ? value.byteLength : value))
    .match(/"data":\d+/g)!
    .reduce((sum, found) => sum + Number(found.slice(7)), 0)

describe("walkBlocks", () => {
  it.effect("sums the squared inputs of each linear as a walk by hand does", () =>
    Effect.gen(function* () {
      const model = toyModel([5, 5, 5])
      const windows = toyWindows(4, 6)
      const { seen } = yield* walk(model, windows)
      assertSeen(seen, handWalk(model, windows))
      assert.deepStrictEqual(
        seen.map(({ block, samples }) => [block, samples]),
        [0, 1, 2].map((block) => [block, 4]),
      )
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("hands the changed block's outputs to the next, not the original's", () =>
    Effect.gen(function* () {
      const model = toyModel([5, 5])
      const windows = toyWindows(2, 6)
      const { seen } = yield* walk(model, windows)
      const unchanged = walkByHand(model, windows, (own) => own)
      assert.closeTo(seen[0].up[0], unchanged[0].up[0], 1e-9)
      assert.isAbove(Math.abs(seen[1].up[0] - unchanged[1].up[0]), 1e-3)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("gives the changed parameters back and leaves the given ones alone", () =>
    Effect.gen(function* () {
      const model = toyModel([5, 3])
      const before = structuredClone(model.parameters)
      const { parameters } = yield* walk(model, toyWindows(1, 6))
      const expected = model.blocks.reduce<unknown>((all, block) => {
        const own = block.parameters(model.parameters) as BlockParameters
        return block.replace(all, { ...own, ...change(own) })
      }, model.parameters)
      assert.deepStrictEqual(parameters, expected)
      assert.deepStrictEqual(model.parameters, before)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("takes blocks of different signatures", () =>
    Effect.gen(function* () {
      const model = toyModel([5, 7, 5, 2])
      const windows = toyWindows(3, 6)
      const { seen } = yield* walk(model, windows, { batch: 2 })
      assertSeen(seen, handWalk(model, windows))
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("sees the same whatever the batch, a smaller last one included", () =>
    Effect.gen(function* () {
      const model = toyModel([5, 5])
      const windows = toyWindows(7, 6)
      const expected = handWalk(model, windows)
      for (const batch of [1, 2, 3, 7, 100]) {
        const { seen } = yield* walk(model, windows, { batch })
        assertSeen(seen, expected)
        assert.strictEqual(seen[0].samples, 7)
      }
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("goes on after the last finished block, with the same result", () =>
    Effect.gen(function* () {
      const model = toyModel([5, 5, 5, 5])
      const windows = toyWindows(3, 6)
      const unbroken = yield* walk(model, windows)
      const store = makeMemoryCheckpoints()
      const kept = Effect.provideService(Checkpoint, store)
      assert.strictEqual(
        yield* walk(model, windows, { killAt: 2 }).pipe(kept, Effect.flip),
        "killed",
      )
      const resumed = yield* walk(model, windows).pipe(kept)
      assert.deepStrictEqual(resumed.parameters, unbroken.parameters)
      assert.deepStrictEqual(resumed.seen, unbroken.seen.slice(2))
      // Finished: nothing is left, and the next walk starts anew.
      assert.strictEqual((yield* store.load("test"))._tag, "None")
      assert.deepStrictEqual((yield* walk(model, windows).pipe(kept)).seen, unbroken.seen)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("ignores the checkpoint of another model", () =>
    Effect.gen(function* () {
      const kept = Effect.provideService(Checkpoint, makeMemoryCheckpoints())
      const windows = toyWindows(2, 6)
      yield* walk(toyModel([5, 5]), windows, { killAt: 1 }).pipe(kept, Effect.flip)
      const { seen } = yield* walk(toyModel([6, 5]), windows).pipe(kept)
      assert.strictEqual(seen.length, 2)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  for (const [name, device] of [
    ["the interpreter", Interpreter.layer],
    ["wasm", wasmLayer({ poison: true, threads: 1 })],
  ] as const) {
    it.effect(`holds one block and the activations on ${name}, however deep the model is`, () =>
      Effect.gen(function* () {
        const windows = toyWindows(2, 6)
        const peakOf = Effect.fnUntraced(function* (layers: number) {
          const { watched, peak } = yield* watchPeak
          const before = watched.statistics().liveBytes
          const model = toyModel(Array.from({ length: layers }, () => 64))
          yield* walk(model, windows).pipe(Effect.provideService(Device, watched))
          assert.strictEqual(watched.statistics().liveBytes, before)
          return peak() - before
        })
        const shallow = yield* peakOf(3)
        assert.strictEqual(yield* peakOf(24), shallow)
        assert.isBelow(shallow, bytesOf(toyModel(Array.from({ length: 24 }, () => 64)).parameters))
      }).pipe(Effect.provide(device)),
    )
  }

  it.effect("gives its memory back where a visitor fails", () =>
    Effect.gen(function* () {
      const { statistics } = yield* Device
      const before = statistics().liveBytes
      yield* Effect.flip(walk(toyModel([5, 5]), toyWindows(2, 6), { killAt: 1 }))
      assert.strictEqual(statistics().liveBytes, before)
      assert.strictEqual(statistics().programs, 0)
    }).pipe(Effect.provide(wasmLayer({ poison: true, threads: 1 }))),
  )

  it.effect("reports every block", () =>
    Effect.gen(function* () {
      const updates: Array<ProgressUpdate> = []
      yield* walk(toyModel([5, 5]), toyWindows(1, 6)).pipe(
        Effect.provideService(Progress, {
          report: (update) => Effect.sync(() => void updates.push(update)),
        }),
      )
      const expected = [1, 2].map((completed) => {
        return { task: "test", completed, total: 2, unit: "blocks" }
      })
      assert.deepStrictEqual(updates, expected)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("refuses to walk without windows, or with windows of different lengths", () =>
    Effect.gen(function* () {
      const refusal = (windows: ReadonlyArray<Int32Array>) =>
        walk(toyModel([5]), windows).pipe(
          Effect.as("accepted"),
          Effect.catchDefect((defect) => Effect.succeed(String(defect))),
        )
      assert.include(yield* refusal([]), "RangeError: there are no windows")
      assert.include(yield* refusal([...toyWindows(1, 6), ...toyWindows(1, 5)]), "6 and 5")
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})
