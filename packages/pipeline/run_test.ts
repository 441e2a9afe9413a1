import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber } from "effect"
import { describeCause } from "./describe_cause.ts"
import type { RunEvent } from "./run_event.ts"
import { sha256 } from "./sha256.ts"
import { runs } from "./testing/steps.ts"
import { makeWorkplace, statuses } from "./testing/workplace.ts"

const story = `name: story
seed: 4
steps:
  story: { use: test/read, path: story.txt }
  loud: { use: test/shout, text: $story }
  cut: { use: test/split, text: $loud }
  size: { use: test/measure, text: $cut.head }
  all: { use: test/table, rows: { head: $size } }
`

const counting = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const before = new Map(runs)
    return Effect.map(effect, (value) => {
      const ran: Record<string, number> = {}
      for (const [name, n] of runs) {
        if (name.includes("/") && n > (before.get(name) ?? 0))
          ran[name] = n - (before.get(name) ?? 0)
      }
      return [value, ran] as const
    })
  })

layer(NodeServices.layer, { excludeTestServices: true })("runPipeline", (it) => {
  it.effect("runs once; then everything comes from the store, in a new process too", () =>
    Effect.gen(function* () {
      const { run, write } = yield* makeWorkplace
      yield* write("story.txt", "Once upon")
      const [first, ran] = yield* counting(run(story))
      assert.strictEqual(first.status, "done")
      assert.deepStrictEqual(new Set(Object.values(statuses(first))), new Set(["done"]))
      assert.lengthOf(Object.keys(ran), 5)
      assert.deepStrictEqual(first.steps.all.metrics, { head: 4 })
      assert.deepStrictEqual(first.steps.loud.hostFallbacks, ["LinearAlgebra"])
      assert.deepStrictEqual(first.steps.loud.notices, ["some letters were large already"])
      assert.strictEqual(first.steps.loud.metrics.perplexity, "Infinity")
      assert.isAbove(first.steps.loud.dispatches, 0)
      assert.isAbove(first.device.dispatches, 0)
      const [second, ranAgain] = yield* counting(run(story))
      assert.deepStrictEqual(ranAgain, {})
      assert.deepStrictEqual(new Set(Object.values(statuses(second))), new Set(["cached"]))
      for (const [id, step] of Object.entries(second.steps)) {
        assert.deepStrictEqual(step.metrics, first.steps[id].metrics)
        assert.deepStrictEqual(step.notices, first.steps[id].notices)
      }
      assert.notStrictEqual(first.run, second.run)
    }),
  )

  it.effect("cuts off early where a step that ran anew gives the same content", () =>
    Effect.gen(function* () {
      const { run, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      yield* run(story)
      yield* write("story.txt", "oNCE")
      const [record] = yield* counting(run(story))
      assert.deepStrictEqual(statuses(record), {
        story: "done",
        loud: "done",
        cut: "cached",
        size: "cached",
        all: "cached",
      })
    }),
  )

  it.effect("seed and device count only for the steps that use them; versions for all", () =>
    Effect.gen(function* () {
      const { run, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      yield* run(story)
      const done = (record: { steps: Readonly<Record<string, { status: string }>> }) =>
        Object.entries(statuses(record)).flatMap(([id, status]) => (status === "done" ? [id] : []))
      assert.deepStrictEqual(done(yield* run(story, { set: ["seed=2"] })), ["cut", "size", "all"])
      assert.deepStrictEqual(done(yield* run(story, { device: "other" })), ["loud"])
      assert.lengthOf(done(yield* run(story, { packages: { x: "1" } })), 5)
      assert.deepStrictEqual(done(yield* run(story)), [])
    }),
  )

  it.effect("a failed step stops those that need it and nothing else", () =>
    Effect.gen(function* () {
      const { run, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      const text = `name: fails
steps:
  story: { use: test/read, path: story.txt }
  loud: { use: test/shout, text: $story, fail: true }
  cut: { use: test/split, text: $loud }
  size: { use: test/measure, text: $cut.head }
  bug: { use: test/slow, end: 1, bug: true }
  other: { use: test/measure, text: $story }
`
      const record = yield* run(text)
      assert.strictEqual(record.status, "failed")
      assert.deepStrictEqual(statuses(record), {
        story: "done",
        loud: "failed",
        cut: "skipped",
        size: "skipped",
        bug: "failed",
        other: "done",
      })
      assert.deepStrictEqual(record.steps.loud.error, {
        tag: "Spoiled",
        message: "the voice is spoiled",
        hint: "drink tea",
      })
      assert.strictEqual(record.steps.cut.reason, "needs loud")
      assert.deepStrictEqual(record.steps.bug.error, {
        tag: "Defect",
        message: "TypeError: the counter has no teeth",
      })
      const again = yield* run(text, { set: ["steps.loud.fail=false"] })
      assert.strictEqual(again.steps.story.status, "cached")
      assert.strictEqual(again.steps.other.status, "cached")
      assert.strictEqual(again.steps.size.status, "done")
    }),
  )

  it.effect("--out receives manifest, results and the files of the steps, cached ones too", () =>
    Effect.gen(function* () {
      const { run, write, at, fileSystem } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      yield* run(story)
      const record = yield* run(story, {
        out: at("results", "here"),
        environment: { node: "v0" },
        packages: {},
      })
      const read = (name: string) => fileSystem.readFileString(at("results", "here", name))
      assert.deepStrictEqual((yield* fileSystem.readDirectory(at("results", "here"))).toSorted(), [
        "cut",
        "loud",
        "manifest.json",
        "results.json",
        "story",
      ])
      assert.strictEqual(yield* read("cut/head/text.txt"), "ONCE")
      assert.strictEqual(yield* read("loud/poster.txt"), "!")
      assert.deepStrictEqual(JSON.parse(yield* read("results.json")), record)
      const manifest = JSON.parse(yield* read("manifest.json")) as Record<string, never>
      assert.strictEqual(manifest.status, "done")
      assert.strictEqual(manifest.seed, 4)
      assert.deepStrictEqual(manifest.environment, { node: "v0" })
      assert.deepStrictEqual((manifest.inputs as unknown as Array<object>)[0], {
        path: at("story.txt"),
        sha256: sha256("Once"),
        bytes: 4,
      })
      assert.match((manifest.steps as Record<string, { key: string }>).loud.key, /^[0-9a-f]{64}$/)
    }),
  )

  it.effect("an output folder that cannot be written to is told before anything runs", () =>
    Effect.gen(function* () {
      const { run, write, at } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      const [error, ran] = yield* counting(
        Effect.flip(run(story, { out: at("story.txt", "results") })),
      )
      assert.strictEqual(error._tag, "OutputFolderError")
      assert.deepStrictEqual(ran, {})
    }),
  )

  it.effect("damaged results are computed anew, with a word", () =>
    Effect.gen(function* () {
      const { run, write, at, stored, fileSystem } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      yield* run(story)
      for (const name of yield* stored("objects")) {
        const file = at("store/objects", name)
        if ((yield* fileSystem.readFileString(file)) === "Once")
          yield* write(`store/objects/${name}`, "Onze")
      }
      const events: Array<RunEvent> = []
      const record = yield* run(story, {
        onEvent: (event) => Effect.sync(() => void events.push(event)),
      })
      assert.strictEqual(record.steps.story.status, "done")
      assert.strictEqual(record.steps.loud.status, "cached")
      assert.match(record.steps.story.notices[0], /text\.txt is damaged.*computed anew/)
      assert.isTrue(events.some((event) => event._tag === "StepNotice"))
      assert.strictEqual((yield* run(story)).steps.story.status, "cached")
    }),
  )

  it.effect("what is damaged between two steps is computed anew, and the run goes on", () =>
    Effect.gen(function* () {
      const { run, write, at, stored, fileSystem } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      let spoilt = 0
      const spoil = Effect.gen(function* () {
        for (const name of yield* stored("objects")) {
          if ((yield* fileSystem.readFileString(at("store/objects", name))) !== "ONCE") continue
          spoilt++
          yield* write(`store/objects/${name}`, "ONZE")
        }
      })
      const [record, ran] = yield* counting(
        run(story, {
          onEvent: (event) =>
            event._tag === "StepFinished" && event.id === "loud"
              ? Effect.orDie(spoil)
              : Effect.void,
        }),
      )
      assert.strictEqual(spoilt, 1)
      assert.deepStrictEqual(new Set(Object.values(statuses(record))), new Set(["done"]))
      assert.strictEqual(ran["test/shout"], 2)
      assert.strictEqual(ran["test/split"], 1)
      const [again, ranAgain] = yield* counting(run(story))
      assert.deepStrictEqual(ranAgain, {})
      assert.match(again.steps.loud.notices.join(), /text\.txt is damaged.*computed anew/)
    }),
  )

  it.effect("an interruption keeps what is done, leaves nothing half written, and resumes", () =>
    Effect.gen(function* () {
      const { run, stored, at, fileSystem } = yield* makeWorkplace
      const text = `name: slow
steps:
  quick: { use: test/slow, end: 1 }
  slow: { use: test/slow, end: 40, milliseconds: 20 }
  after: { use: test/measure, text: $slow }
`
      const reached = yield* Deferred.make<void>()
      const events: Array<RunEvent> = []
      const fiber = yield* Effect.forkChild(
        run(text, {
          out: at("out"),
          onEvent: (event) => {
            events.push(event)
            return event._tag === "StepProgress" &&
              event.id === "slow" &&
              event.update.completed === 3
              ? Deferred.succeed(reached, undefined)
              : Effect.void
          },
        }),
      )
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(fiber)
      const last = events.at(-1)
      assert.strictEqual(last?._tag, "RunFinished")
      if (last?._tag === "RunFinished") {
        assert.strictEqual(last.record.status, "interrupted")
        assert.deepStrictEqual(statuses(last.record), {
          quick: "done",
          slow: "skipped",
          after: "skipped",
        })
        const results = yield* fileSystem.readFileString(at("out/results.json"))
        assert.deepStrictEqual(JSON.parse(results), last.record)
      }
      assert.deepStrictEqual(yield* stored("temporary"), [])
      const record = yield* run(text, { set: ["steps.slow.milliseconds=20"] })
      assert.strictEqual(record.steps.quick.status, "cached")
      assert.strictEqual(record.steps.slow.status, "done")
      assert.isAtLeast(Number(record.steps.slow.metrics.first), 3)
      assert.deepStrictEqual(yield* stored("checkpoints"), [])
    }),
  )

  it.effect("tells what happens in order", () =>
    Effect.gen(function* () {
      const { run, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      const events: Array<string> = []
      const onEvent = (event: RunEvent) =>
        Effect.sync(
          () => void events.push("id" in event ? `${event._tag} ${event.id}` : event._tag),
        )
      const text = `name: two
steps:
  story: { use: test/read, path: story.txt }
  loud: { use: test/shout, text: $story }
`
      yield* run(text, { onEvent })
      assert.deepStrictEqual(events, [
        "RunStarted",
        "RunNotice",
        "StepStarted story",
        "StepFinished story",
        "StepStarted loud",
        "StepNotice loud",
        "StepProgress loud",
        "StepFinished loud",
        "RunFinished",
      ])
    }),
  )

  it.effect("a message that ends with its hint is told without it", () =>
    Effect.sync(() => {
      const failure = { _tag: "Narrow", message: "too narrow. Widen it.", hint: "Widen it." }
      assert.deepStrictEqual(describeCause(Cause.fail(failure)), {
        tag: "Narrow",
        message: "too narrow",
        hint: "Widen it.",
      })
    }),
  )
})
