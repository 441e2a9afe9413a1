import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { makeWorkplace } from "./testing/workplace.ts"

const story = `name: story
seed: 4
steps:
  story: { use: test/read, path: story.txt }
  loud: { use: test/shout, text: $story, times: 2 }
  cut: { use: test/split, text: $loud }
  size: { use: test/measure, text: $cut.head }
`

layer(NodeServices.layer)("planPipeline", (it) => {
  const told = (
    steps: ReadonlyArray<{ id: string; cache: string; reasons: ReadonlyArray<string> }>,
  ) =>
    Object.fromEntries(steps.map(({ id, cache, reasons }) => [id, [cache, ...reasons].join("; ")]))

  it.effect("never run, then all hits", () =>
    Effect.gen(function* () {
      const { plan, run, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      assert.deepStrictEqual(told(yield* plan(story)), {
        story: "miss; never run",
        loud: "miss; depends on story",
        cut: "miss; depends on loud",
        size: "miss; depends on cut",
      })
      yield* run(story)
      assert.deepStrictEqual(told(yield* plan(story)), {
        story: "hit",
        loud: "hit",
        cut: "hit",
        size: "hit",
      })
    }),
  )

  it.effect("says what changed", () =>
    Effect.gen(function* () {
      const { plan, run, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      yield* run(story)
      const reason = (id: string, options?: Parameters<typeof plan>[1]) =>
        Effect.map(plan(story, options), (steps) => told(steps)[id])
      assert.strictEqual(
        yield* reason("loud", { set: ["steps.loud.times=3"] }),
        "miss; config.times changed 2 → 3",
      )
      assert.strictEqual(
        yield* reason("story", { set: ["steps.story.skip=1"] }),
        "miss; config.skip changed none → 1",
      )
      assert.strictEqual(yield* reason("loud", { set: ["steps.loud.text=$story"] }), "hit")
      assert.strictEqual(
        yield* reason("cut", { set: ["steps.cut.text=$story"] }),
        "miss; input text changed",
      )
      assert.strictEqual(
        yield* reason("size", { set: ["steps.size.other=$story"] }),
        "miss; input other was added",
      )
      assert.strictEqual(yield* reason("cut", { set: ["seed=5"] }), "miss; the seed changed 4 → 5")
      assert.strictEqual(
        yield* reason("loud", { device: "gpu" }),
        "miss; the device changed test → gpu",
      )
      assert.strictEqual(
        yield* reason("story", { packages: { "@espalier/pruning": "0.2.0" } }),
        "miss; package @espalier/pruning changed none → 0.2.0",
      )
      yield* write("story.txt", "Twice")
      assert.strictEqual(yield* reason("story"), "miss; the content of config.path changed")
    }),
  )

  it.effect("damage and loss are told apart", () =>
    Effect.gen(function* () {
      const { plan, run, write, at, fileSystem } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      yield* run(story)
      yield* fileSystem.remove(at("store/objects"), { recursive: true })
      assert.strictEqual(
        told(yield* plan(story)).story,
        "miss; the cached result is damaged: text.txt is missing",
      )
      yield* fileSystem.remove(at("store/entries"), { recursive: true })
      assert.strictEqual(
        told(yield* plan(story)).story,
        "miss; its result is no longer in the store",
      )
    }),
  )
})
