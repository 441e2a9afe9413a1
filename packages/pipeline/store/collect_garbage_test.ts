import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Option, Scope, Exit, Schema } from "effect"
import { sha256 } from "../sha256.ts"
import { Store } from "../store.ts"
import { makeWorkplace } from "../testing/workplace.ts"
import { host } from "./process_name.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const day = 24 * 60 * 60 * 1000
const keyOf = (step: number) => sha256(`key ${step}`)
/** Steps share contents: the same four come again and again. */
const contentOf = (step: number) => `content ${step % 4}`

/** A store, and short ways to fill it with things of any age. */
const makeStore = Effect.gen(function* () {
  const place = yield* makeWorkplace
  const { at, fileSystem, stored } = place
  /** Uses the store as a process would that ends afterwards. */
  const use = <A, E>(f: (store: Store["Service"]) => Effect.Effect<A, E>) =>
    Effect.flatMap(Store, f).pipe(Effect.provide(Store.layer(at("store"))))
  const putStep = (store: Store["Service"], step: number) =>
    Effect.gen(function* () {
      const output = yield* store.putOutput("Text", { "text.txt": bytes(contentOf(step)) })
      const entry = {
        key: keyOf(step),
        use: "test/x",
        outputs: { text: output },
        files: yield* store.putFiles({ "note.txt": bytes(`note ${step}`) }),
        metrics: {},
        seconds: 1,
        dispatches: 0,
        hostFallbacks: [],
        notices: [],
        finished: "2026-01-01T00:00:00.000Z",
      }
      yield* store.putEntry(entry)
      return entry
    })
  const putRun = (
    store: Store["Service"],
    run: {
      readonly name: string
      readonly pipeline: string
      readonly steps: ReadonlyArray<number>
    },
  ) =>
    Effect.gen(function* () {
      const steps: Record<string, object> = {}
      for (const step of run.steps) {
        const { key, outputs, files, use } = yield* putStep(store, step)
        steps[`s${step}`] = { use, status: "done", key, outputs, files }
      }
      const manifest = { name: run.pipeline, status: "done", steps }
      yield* store.writeRunFile(run.name, "manifest.json", JSON.stringify(manifest))
    })
  /** Makes files look as old as so many days. */
  const age = Effect.fnUntraced(function* (kind: string, days: number, only = "") {
    const time = new Date(Date.now() - days * day)
    for (const name of yield* stored(kind)) {
      if (name.startsWith(only)) yield* fileSystem.utimes(at("store", kind, name), time, time)
    }
  })
  const ageAll = (days: number) =>
    Effect.forEach(["objects", "entries", "checkpoints", "runs"], (kind) => age(kind, days))
  const hashes = (kind: string) =>
    Effect.map(stored(kind), (names) =>
      names.map((name) => name.replace("/", "").replace(".json", "")).toSorted(),
    )
  return { ...place, use, putStep, putRun, age, ageAll, hashes }
})

const Scenario = Schema.Struct({
  runs: Schema.Array(
    Schema.Struct({
      pipeline: Schema.Literals(["a", "b"]),
      days: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
      steps: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))),
    }),
  ),
  lone: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))),
  keepRuns: Schema.Option(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 }))),
  olderThan: Schema.Option(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))),
})

layer(NodeServices.layer, { excludeTestServices: true })("collecting garbage", (it) => {
  it.effect.prop(
    "keeps every kept run readable, and nothing that no kept run needs",
    [Scenario],
    ([scenario]) =>
      Effect.gen(function* () {
        const { use, putStep, putRun, age, hashes } = yield* makeStore
        // Of two runs of one age none would be the later one.
        const runs = scenario.runs.map((run, i) => ({
          ...run,
          name: `run-${i}`,
          days: run.days + i / 1000,
        }))
        yield* use((store) =>
          Effect.gen(function* () {
            for (const step of scenario.lone) yield* putStep(store, step)
            for (const run of runs) yield* putRun(store, run)
          }),
        )
        yield* age("objects", 9)
        yield* age("entries", 9)
        for (const { name, days } of runs) yield* age("runs", days, `${name}/`)

        const keepRuns = Option.getOrUndefined(scenario.keepRuns)
        const olderThan = Option.getOrUndefined(scenario.olderThan)
        const kept = runs.filter((run) => {
          if (keepRuns === undefined && olderThan === undefined) return true
          const later = runs.filter(
            ({ pipeline, days }) => pipeline === run.pipeline && days < run.days,
          )
          return (
            (keepRuns !== undefined && later.length < keepRuns) ||
            (olderThan !== undefined && run.days < olderThan)
          )
        })
        const options = {
          ...(keepRuns === undefined ? {} : { keepRuns }),
          ...(olderThan === undefined ? {} : { olderThan }),
        }
        const told = yield* use((store) => store.collectGarbage({ ...options, dryRun: true }))
        const report = yield* use((store) => store.collectGarbage(options))
        assert.deepStrictEqual({ ...told, dryRun: false }, report)
        assert.strictEqual(report.runs.kept, kept.length)

        const steps = [...new Set(kept.flatMap((run) => run.steps))]
        assert.deepStrictEqual(yield* hashes("entries"), steps.map(keyOf).toSorted())
        const contents = new Set(
          steps.flatMap((step) => [sha256(contentOf(step)), sha256(`note ${step}`)]),
        )
        assert.deepStrictEqual(yield* hashes("objects"), [...contents].toSorted())
        yield* use((store) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(
              (yield* store.listRuns).map(({ run }) => run).toSorted(),
              kept.map(({ name }) => name).toSorted(),
            )
            for (const step of steps) {
              const found = yield* store.lookup(keyOf(step))
              assert.strictEqual(found._tag, "Hit")
              if (found._tag !== "Hit") continue
              const files = yield* store.readFiles(found.entry.outputs.text.files)
              assert.deepStrictEqual(files["text.txt"], bytes(contentOf(step)))
            }
          }),
        )
      }),
    { arbitrary: { runs: 15 } },
  )

  it.effect("leaves what is younger than the grace period, and what young things name", () =>
    Effect.gen(function* () {
      const { use, putStep, putRun, age, ageAll, hashes } = yield* makeStore
      yield* use((store) => putRun(store, { name: "old", pipeline: "a", steps: [1] }))
      yield* use((store) => putStep(store, 2))
      yield* ageAll(2)
      yield* age("entries", 0, `${keyOf(2).slice(0, 2)}/${keyOf(2).slice(2)}`)
      const report = yield* use((store) => store.collectGarbage({ keepRuns: 0 }))
      assert.deepStrictEqual(report.runs, { removed: 1, kept: 0, names: ["old"] })
      assert.strictEqual(report.tooYoung, 1)
      assert.deepStrictEqual(yield* hashes("entries"), [keyOf(2)])
      assert.lengthOf(yield* hashes("objects"), 2)
      assert.isAbove(report.bytesFreed, 0)
      const next = yield* use((store) => store.collectGarbage({ grace: 0 }))
      assert.strictEqual(next.entries.removed, 1)
      assert.deepStrictEqual(yield* hashes("objects"), [])
    }),
  )

  it.effect("leaves what a process uses, however old, until that process ends", () =>
    Effect.gen(function* () {
      const { use, at, putStep, ageAll, hashes } = yield* makeStore
      yield* use((store) => Effect.forEach([1, 2, 3], (step) => putStep(store, step)))
      yield* ageAll(60)
      const scope = yield* Scope.make()
      const running = yield* Layer.buildWithScope(Store.layer(at("store")), scope)
      yield* Effect.gen(function* () {
        const store = yield* Store
        assert.strictEqual((yield* store.lookup(keyOf(1)))._tag, "Hit")
        // Kept again: the content is there already and is not written.
        yield* store.putFiles({ "text.txt": bytes(contentOf(2)) })
        yield* store.checkpoints(keyOf(7)).save("c", { x: bytes("1") })
        yield* store.appendRunFile("now", "events.jsonl", "{}\n")
      }).pipe(Effect.provide(running))
      yield* ageAll(60)
      const collect = use((store) => store.collectGarbage({ grace: 0, olderThan: 0, keepRuns: 0 }))
      const report = yield* collect
      assert.deepStrictEqual(yield* hashes("entries"), [keyOf(1)])
      assert.deepStrictEqual(
        yield* hashes("objects"),
        [sha256(contentOf(1)), sha256("note 1"), sha256(contentOf(2))].toSorted(),
      )
      assert.deepStrictEqual(report.runs, { removed: 0, kept: 1, names: [] })
      assert.deepStrictEqual(report.checkpoints, { removed: 0, kept: 1 })
      yield* Scope.close(scope, Exit.void)
      const last = yield* collect
      assert.deepStrictEqual(last.runs.names, ["now"])
      assert.strictEqual(last.entries.removed, 1)
      assert.strictEqual(last.checkpoints.removed, 1)
      assert.deepStrictEqual(yield* hashes("objects"), [])
    }),
  )

  it.effect("leaves what a killed run had done, as long as that run is kept", () =>
    Effect.gen(function* () {
      const { use, write, ageAll, putStep, hashes, fileSystem, at, stored } = yield* makeStore
      yield* use((store) =>
        Effect.gen(function* () {
          yield* putStep(store, 1)
          yield* store.checkpoints(keyOf(2)).save("c", { x: bytes("1") })
          yield* store.writeRunFile("killed", "run.json", `{"name":"a"}`)
        }),
      )
      yield* ageAll(2)
      // What a process leaves behind that is killed.
      yield* write(`store/leases/${host}.4194305.x`, `${keyOf(1)}\n${keyOf(2)}\nrun killed\n`)
      yield* use((store) => store.collectGarbage({ grace: 0, keepRuns: 1 }))
      assert.deepStrictEqual(yield* hashes("entries"), [keyOf(1)])
      assert.lengthOf(yield* hashes("objects"), 2)
      assert.lengthOf(yield* stored("checkpoints"), 1)
      yield* use((store) => store.collectGarbage({ grace: 0, olderThan: 1 }))
      assert.deepStrictEqual(yield* hashes("entries"), [])
      assert.deepStrictEqual(yield* fileSystem.readDirectory(at("store/leases")), [])
      assert.deepStrictEqual(yield* fileSystem.readDirectory(at("store/runs")), [])
    }),
  )

  it.effect("removes checkpoints of finished steps; others while their run is not kept", () =>
    Effect.gen(function* () {
      const { use, ageAll, putStep, stored } = yield* makeStore
      const checkpoint = (step: number) =>
        use((store) => store.checkpoints(keyOf(step)).save("c", { x: bytes("1") }))
      yield* checkpoint(1)
      yield* checkpoint(2)
      yield* checkpoint(3)
      yield* use((store) => putStep(store, 1))
      yield* use((store) =>
        store.writeRunFile(
          "r",
          "manifest.json",
          JSON.stringify({ name: "a", steps: { s: { key: keyOf(2) } } }),
        ),
      )
      yield* ageAll(2)
      yield* use((store) => store.collectGarbage())
      assert.deepStrictEqual(
        (yield* stored("checkpoints")).map((name) => name.slice(0, 64)).toSorted(),
        [keyOf(2), keyOf(3)].toSorted(),
      )
      yield* use((store) => store.collectGarbage({ keepRuns: 0 }))
      assert.deepStrictEqual(
        (yield* stored("checkpoints")).map((name) => name.slice(0, 64)),
        [keyOf(3)],
      )
      yield* ageAll(40)
      yield* use((store) => store.collectGarbage())
      assert.deepStrictEqual(yield* stored("checkpoints"), [])
    }),
  )

  it.effect("users of the store wait for the end of a collection, unless it was killed", () =>
    Effect.gen(function* () {
      const { use, write, putStep, fileSystem, at } = yield* makeStore
      yield* use((store) => putStep(store, 1))
      yield* fileSystem.makeDirectory(at("store/collections"))
      yield* write(`store/collections/${host}.4194305.dead`, "")
      yield* use((store) => store.lookup(keyOf(1)))
      const marker = `store/collections/${host}.${process.pid}.going-on`
      yield* write(marker, "")
      let ended = false
      const lookup = use((store) => store.lookup(keyOf(1)))
      const [found] = yield* Effect.all(
        [
          Effect.tap(lookup, () => Effect.sync(() => assert.isTrue(ended))),
          Effect.gen(function* () {
            yield* Effect.sleep(100)
            ended = true
            yield* fileSystem.remove(at(marker))
          }),
        ],
        { concurrency: 2 },
      )
      assert.strictEqual(found._tag, "Hit")
    }),
  )
})
