import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"
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
})
