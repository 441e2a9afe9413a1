import { Notices } from "@espalier/runtime"
import { HostArray, Program, Spec, Tensor } from "@espalier/tensor"
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import manifest from "./package.json" with { type: "json" }
import { CodeCache } from "./code_cache.ts"
import * as WebGpu from "./mod.ts"
import { describeOn, gpuStrategy, openDevice } from "./testing/harness.ts"
import { version } from "./version.ts"

const device = await openDevice()

/** A directory for one test. */
const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "espalier-webgpu-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true })),
)

const doubled = Program.make("double", { x: Spec.f32([3]) }, ({ x }) =>
  Tensor.mul(x, Tensor.scalar(2)),
)

/** What the program gives on a device of its own that keeps its code in `cacheDirectory`. */
const run = (cacheDirectory: string) =>
  Effect.gen(function* () {
    const compiled = yield* Program.compile(doubled)
    return yield* Tensor.toArray(yield* compiled({ x: HostArray.make([3], [1, 2, 3]) }))
  }).pipe(Effect.scoped, Effect.provide(WebGpu.layer({ cacheDirectory })))

it("the version is that of the package", () => assert.strictEqual(version, manifest.version))

describeOn(device, "code kept on disk", () => {
  it.effect("is used by the next device", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      assert.deepStrictEqual(yield* run(directory), [2, 4, 6])
      const files = fs.readdirSync(directory)
      assert.lengthOf(files, 1)
      assert.match(files[0], /^wgsl-[0-9a-f]{32}\.json$/)
      const file = path.join(directory, files[0])
      // Who changes the file sees that it is read.
      const text = fs.readFileSync(file, "utf8")
      assert.include(text, "2.0f")
      fs.writeFileSync(file, text.replaceAll("2.0f", "5.0f"))
      assert.deepStrictEqual(yield* run(directory), [5, 10, 15])
    }).pipe(Effect.scoped),
  )
  it.effect("is made again where it is damaged", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      yield* run(directory)
      const file = path.join(directory, fs.readdirSync(directory)[0])
      const whole = fs.readFileSync(file, "utf8")
      for (const damaged of [whole.slice(0, 100), "{}", '{"a":{"code":3}}', ""]) {
        fs.writeFileSync(file, damaged)
        assert.deepStrictEqual(yield* run(directory), [2, 4, 6])
        assert.strictEqual(fs.readFileSync(file, "utf8"), whole)
      }
      assert.lengthOf(fs.readdirSync(directory), 1)
    }).pipe(Effect.scoped),
  )
  it.effect("is done without where nothing can be written, with a word", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const file = path.join(directory, "file")
      fs.writeFileSync(file, "")
      const [found, notices] = yield* Notices.collect(run(path.join(file, "inside")))
      assert.deepStrictEqual(found, [2, 4, 6])
      assert.lengthOf(notices, 1)
      assert.include(notices[0], "could not be kept on disk")
    }).pipe(Effect.scoped),
  )
  it.effect("belongs to a strategy, and so does what tuning found", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const cache = yield* CodeCache.open(directory, "some adapter")
      const base = gpuStrategy()
      assert.isTrue(Option.isNone(cache.tuned(base)))
      yield* cache.saveTuned(base, { lanes: 32, contract: "registers" })
      assert.deepStrictEqual(Option.getOrThrow(cache.tuned(base)), {
        lanes: 32,
        contract: "registers",
      })
      assert.isTrue(Option.isNone(cache.tuned({ ...base, lanes: 512 })))
      const other = yield* CodeCache.open(directory, "another adapter")
      assert.isTrue(Option.isNone(other.tuned(base)))
      const [name] = fs.readdirSync(directory)
      fs.writeFileSync(path.join(directory, name), '{"lanes":"many"}')
      assert.isTrue(Option.isNone(cache.tuned(base)))
    }).pipe(Effect.scoped),
  )
})
