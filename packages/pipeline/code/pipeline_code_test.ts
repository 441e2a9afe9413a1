import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Notices } from "@espalier/runtime"
import { Effect, Layer, Schema } from "effect"
import { readFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import {
  loadPipeline,
  PipelineDevice,
  planPipeline,
  type RunEvent,
  runPipeline,
  Step,
  Store,
} from "../mod.ts"
import { makeCodeFolder } from "../testing/code_folder.ts"

/** A folder with a pipeline of two steps: `one`, of `app/step.ts`, uses a device; `two` does not. */
const makePlace = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => makeCodeFolder()),
    ({ remove }) => Effect.sync(remove),
  )
  const { at, write } = folder
  write("pipeline.yaml", "name: code\nsteps: { one: { use: test/one }, two: { use: test/two } }\n")
  write("device/package.json", `{ "name": "@test/device" }`)
  write("device/mod.ts", "export const device = 1 // slow\n")
  const urlOf = (name: string) => pathToFileURL(at(name)).href
  const define = (name: string, module: string | undefined, usesDevice: boolean) =>
    Step.define({
      use: `test/${name}`,
      description: "Makes a metric.",
      version: 1,
      ...(module === undefined ? {} : { module: urlOf(module) }),
      config: Schema.Struct({}),
      usesDevice,
      run: () => Effect.succeed({ metrics: { name } }),
    })
  /** The pipeline, where step one may be defined elsewhere or say nothing of its module. */
  const load = (modules: ReadonlyArray<string>) =>
    loadPipeline(at("pipeline.yaml"), {
      steps: [define("one", modules[0], true), define("two", "app/other.ts", false)],
    })
  const layers = Layer.merge(
    Store.layer(at("store")),
    Layer.sync(PipelineDevice, () => ({
      kind: "test",
      adapter: "none",
      software: true,
      dispatches: () => 0,
      fingerprint: "test",
      features: ["f32"],
      modules: [urlOf("device/mod.ts")],
    })),
  )
  const options = { packages: { "@test/app": "1" } }
  const events: Array<RunEvent> = []
  const onEvent = (event: RunEvent) => Effect.sync(() => void events.push(event))
  return {
    ...folder,
    events,
    run: (...modules: ReadonlyArray<string>) =>
      Effect.flatMap(load(modules), (pipeline) =>
        runPipeline(pipeline, { ...options, onEvent, out: at("out") }),
      ).pipe(Effect.provide(layers)),
    /** Why each step would run, and notices. */
    plan: (...modules: ReadonlyArray<string>) =>
      Effect.flatMap(load(modules), (pipeline) => planPipeline(pipeline, options)).pipe(
        Effect.map((steps) => {
          const reasons = steps.map(({ id, reasons }): [string, string | undefined] => [
            id,
            reasons[0],
          ])
          return Object.fromEntries(reasons)
        }),
        Effect.provide(layers),
        Notices.collect,
      ),
  }
})

layer(NodeServices.layer, { excludeTestServices: true })("the code of steps", (it) => {
  it.effect("is in their keys; a plan names the module that changed", () =>
    Effect.gen(function* () {
      const { run, plan, edit } = yield* makePlace
      assert.strictEqual((yield* run("app/step.ts")).notices, undefined)
      const hit = { one: undefined, two: undefined }
      assert.deepStrictEqual(yield* plan("app/step.ts"), [hit, []])
      edit("helpers/add.ts", "/** The sum. */", "/** A sum. */")
      assert.deepStrictEqual(yield* plan("app/step.ts"), [hit, []])
      edit("helpers/add.ts", "a + b", "b + a")
      const changed = "code of @test/helpers/add.ts changed"
      assert.deepStrictEqual(yield* plan("app/step.ts"), [{ one: changed, two: changed }, []])
      edit("app/late.ts", "5", "6")
      const [{ one, two }] = yield* plan("app/step.ts")
      assert.strictEqual(one, "code of @test/app/late.ts and 1 more changed")
      assert.strictEqual(two, changed)
      yield* run("app/step.ts")
      assert.deepStrictEqual(yield* plan("app/step.ts"), [hit, []])
      edit("node_modules/third/package.json", "1.2.3", "2.0.0")
      const upgraded = "package third changed 1.2.3 → 2.0.0"
      assert.deepStrictEqual(yield* plan("app/step.ts"), [{ one: upgraded, two: undefined }, []])
    }),
  )

  it.effect("is that of the device too where they use it", () =>
    Effect.gen(function* () {
      const { run, plan, write } = yield* makePlace
      yield* run("app/step.ts")
      write("device/mod.ts", "export const device = 1 // fast\n")
      assert.deepStrictEqual((yield* plan("app/step.ts"))[0], { one: undefined, two: undefined })
      write("device/mod.ts", "export const device = 2\n")
      const one = "code of @test/device/mod.ts changed"
      assert.deepStrictEqual((yield* plan("app/step.ts"))[0], { one, two: undefined })
    }),
  )

  it.effect("counts by versions where no module is given or it cannot be read, with a word", () =>
    Effect.gen(function* () {
      const { at, run, plan, edit, events } = yield* makePlace
      const notice =
        "the code of test/one counts by package versions: give Step.define module: import.meta.url"
      const record = yield* run()
      assert.deepStrictEqual(record.notices, [notice])
      assert.deepInclude(events, { _tag: "RunNotice", message: notice })
      const manifest = JSON.parse(readFileSync(at("out/manifest.json"), "utf8")) as {
        readonly code: string
        readonly steps: Readonly<Record<string, { readonly code: object }>>
      }
      assert.strictEqual(manifest.code, "versions")
      assert.deepStrictEqual(manifest.steps.one.code, { versions: { "@test/app": "1" } })
      assert.hasAllKeys(manifest.steps.two.code, ["graph", "packages"])
      assert.deepStrictEqual((yield* plan())[1], [notice])
      const [{ one }] = yield* plan("app/step.ts")
      assert.match(one ?? "", /the code of test\/one changed package versions → modules/)
      edit("app/late.ts", "=", "= =")
      const [, notices] = yield* plan("app/step.ts")
      assert.deepStrictEqual(notices, [
        'the code counts by package versions, not by what it is: Unexpected "="',
      ])
    }),
  )
})
