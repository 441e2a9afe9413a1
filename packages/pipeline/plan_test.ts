import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { sha256 } from "./sha256.ts"
import { makeWorkplace } from "./testing/workplace.ts"

const story = `name: story
seed: 4
steps:
  story: { use: test/read, path: story.txt }
  loud: { use: test/shout, text: $story, times: 2 }
  cut: { use: test/split, text: $loud }
  size: { use: test/measure, text: $cut.head }
`

layer(NodeServices.layer, { excludeTestServices: true })("planPipeline", (it) => {
  const hashes = (from: string, to: string) =>
    `sha256 ${sha256(from).slice(0, 8)}… → ${sha256(to).slice(0, 8)}…`
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
        loud: "miss; never run",
        cut: "miss; never run",
        size: "miss; never run",
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
        "miss; input text changed $loud.text → $story.text",
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
      assert.strictEqual(
        yield* reason("story"),
        `miss; the content of config.path (story.txt) changed: ${hashes("Once", "Twice")}`,
      )
    }),
  )

  it.effect("a step after a miss says with what it begins, and what is its own", () =>
    Effect.gen(function* () {
      const { plan, run, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      yield* run(story)
      const set = ["steps.story.skip=1", "steps.loud.times=3"]
      const waits = "text may change: story runs (config.skip changed none → 1)"
      assert.deepStrictEqual(told(yield* plan(story, { set })), {
        story: "miss; config.skip changed none → 1",
        loud: `miss; config.times changed 2 → 3; ${waits}`,
        cut: `miss; ${waits}`,
        size: `miss; ${waits}`,
      })
    }),
  )

  it.effect("a changed input is told with the first thing before it that changed", () =>
    Effect.gen(function* () {
      const { plan, run, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      yield* run(story)
      const set = ["steps.story.skip=1"]
      yield* run(story, { set, only: ["story"] })
      const near = told(yield* plan(story, { set }))
      assert.match(
        near.loud,
        /^miss; text: sha256 [0-9a-f]{8}… → [0-9a-f]{8}…, because skip none → 1 in story$/,
      )
      assert.match(near.cut, /^miss; text may change: loud runs \(text: sha256 .* in story\)$/)
      yield* run(story, { set, only: ["loud"] })
      const far = told(yield* plan(story, { set }))
      assert.match(far.cut, /^miss; text: sha256 .*, because skip none → 1 in story$/)
      yield* write("story.txt", "Twice")
      yield* run(story, { set, only: ["story"] })
      assert.include(
        told(yield* plan(story, { set })).loud,
        `, because story.txt: ${hashes("Once", "Twice")} in story`,
      )
    }),
  )

  it.effect("operational keys make no difference", () =>
    Effect.gen(function* () {
      const { plan, run } = yield* makeWorkplace
      const slow = "name: slow\nsteps: { slow: { use: test/slow, end: 2, milliseconds: 1 } }\n"
      const record = yield* run(slow)
      assert.strictEqual(record.status, "done")
      const set = ["steps.slow.milliseconds=2"]
      assert.deepStrictEqual(told(yield* plan(slow, { set })), { slow: "hit" })
      const more = ["steps.slow.end=3", ...set]
      const reason = "miss; config.end changed 2 → 3"
      assert.deepStrictEqual(told(yield* plan(slow, { set: more })), { slow: reason })
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
