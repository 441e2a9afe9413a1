import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"
import { runPipeline } from "./run.ts"
import { Store } from "./store.ts"
import { makeWorkplace, statuses } from "./testing/workplace.ts"

const child = fileURLToPath(new URL("testing/child.ts", import.meta.url))

const spawn = (file: string, store: string) =>
  ChildProcess.make(process.execPath, ["--conditions=@espalier/source", child, file, store])

layer(NodeServices.layer, { excludeTestServices: true })("several processes on one store", (it) => {
  it.effect("a run killed in the middle leaves nothing half written and goes on where it was", () =>
    Effect.gen(function* () {
      const { at, write, run, stored } = yield* makeWorkplace
      const text = `name: slow
steps:
  quick: { use: test/slow, end: 1 }
  slow: { use: test/slow, end: 30, milliseconds: 20 }
`
      yield* write("pipeline.yaml", text)
      const handle = yield* spawn(at("pipeline.yaml"), at("store"))
      yield* handle.stdout.pipe(
        Stream.decodeText(),
        Stream.splitLines,
        Stream.takeUntil((line) => line === "progress slow 5"),
        Stream.runDrain,
      )
      yield* handle.kill({ killSignal: "SIGKILL" })
      assert.lengthOf(yield* stored("entries"), 1)
      const record = yield* run(text)
      assert.deepStrictEqual(statuses(record), { quick: "cached", slow: "done" })
      assert.isAtLeast(Number(record.steps.slow.metrics.first), 5)
      assert.deepStrictEqual(yield* stored("temporary"), [])
      assert.deepStrictEqual(yield* stored("checkpoints"), [])
    }),
  )

  it.effect("two runs at once give the same results, and both are sound", () =>
    Effect.gen(function* () {
      const { at, write, run, stored } = yield* makeWorkplace
      const text = `name: race
steps:
${Array.from({ length: 8 }, (_, i) => `  s${i}: { use: test/slow, end: ${(i % 3) + 2} }`).join("\n")}
  size: { use: test/measure, text: $s7 }
`
      yield* write("pipeline.yaml", text)
      const outputs = yield* Effect.all(
        Array.from({ length: 2 }, () =>
          Effect.gen(function* () {
            const handle = yield* spawn(at("pipeline.yaml"), at("store"))
            const lines = yield* handle.stdout.pipe(Stream.decodeText(), Stream.mkString)
            assert.strictEqual(yield* handle.exitCode, 0)
            return lines
          }),
        ),
        { concurrency: 2 },
      )
      for (const lines of outputs) assert.match(lines, /run done/)
      const record = yield* run(text)
      assert.deepStrictEqual(new Set(Object.values(statuses(record))), new Set(["cached"]))
      assert.deepStrictEqual(yield* stored("temporary"), [])
    }),
  )

  it.effect("a run goes on beside collections of garbage that want all that it did not name", () =>
    Effect.gen(function* () {
      const { at, write, run, layer, fileSystem } = yield* makeWorkplace
      const text = `name: beside
steps:
${Array.from({ length: 12 }, (_, i) => `  s${i}: { use: test/slow, end: ${i + 1} }`).join("\n")}
  size: { use: test/measure, text: $s11 }
`
      yield* write("pipeline.yaml", text)
      // Results that no run names any more: the next run finds them, or they are collected first.
      yield* run(text)
      yield* fileSystem.remove(at("store/runs"), { recursive: true })
      const collect = Effect.flatMap(Store, (store) => store.collectGarbage({ grace: 0 })).pipe(
        Effect.provide(layer()),
      )
      const handle = yield* spawn(at("pipeline.yaml"), at("store"))
      const collecting = yield* Effect.forkChild(Effect.forever(Effect.delay(collect, "20 millis")))
      const lines = yield* handle.stdout.pipe(Stream.decodeText(), Stream.mkString)
      assert.strictEqual(yield* handle.exitCode, 0)
      yield* Fiber.interrupt(collecting)
      assert.match(lines, /run done/)
      const record = yield* run(text)
      assert.deepStrictEqual(new Set(Object.values(statuses(record))), new Set(["cached"]))
    }),
  )

  it.effect("many runs and collections at once: no run lacks a result", () =>
    Effect.gen(function* () {
      const { at, write, load, layer, fileSystem } = yield* makeWorkplace
      const text = `name: beside
steps:
  story: { use: test/read, path: story.txt }
${Array.from({ length: 6 }, (_, i) => `  s${i}: { use: test/shout, text: $story, times: ${i + 1} }`).join("\n")}
  size: { use: test/measure, text: $s5 }
`
      yield* write("story.txt", "Once")
      const pipeline = yield* load(text)
      const isRunning = { now: true }
      const collect = Effect.flatMap(Store, (store) => store.collectGarbage({ grace: 0 })).pipe(
        Effect.provide(layer()),
      )
      const runOnce = runPipeline(pipeline, { packages: {} }).pipe(Effect.provide(layer()))
      const work = Effect.gen(function* () {
        for (let round = 0; round < 5; round++) {
          const record = yield* runOnce
          assert.strictEqual(record.status, "done")
          const again = yield* runOnce
          assert.deepStrictEqual(new Set(Object.values(statuses(again))), new Set(["cached"]))
          // From here on nobody names what was made, and the next round may find it or not.
          for (const { run } of [record, again]) {
            yield* fileSystem.remove(at("store/runs", run), { recursive: true })
          }
        }
      })
      yield* Effect.all(
        [
          Effect.ensuring(
            work,
            Effect.sync(() => (isRunning.now = false)),
          ),
          Effect.repeat(Effect.delay(collect, 3), { while: () => isRunning.now }),
        ],
        { concurrency: 2 },
      )
      yield* collect
      assert.deepStrictEqual(yield* fileSystem.readDirectory(at("store/temporary")), [])
    }),
  )
})
