import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Notices } from "@espalier/runtime"
import { Effect, Layer, Option } from "effect"
import { sha256, sha256Json } from "./sha256.ts"
import { host } from "./store/process_name.ts"
import { Store } from "./store.ts"
import { makeWorkplace } from "./testing/workplace.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const entry = (key: string) => ({
  key,
  use: "test/x",
  outputs: {},
  files: {},
  metrics: { a: 1 },
  seconds: 1,
  dispatches: 0,
  hostFallbacks: [],
  notices: [],
  finished: "2026-01-01T00:00:00.000Z",
})

layer(NodeServices.layer, { excludeTestServices: true })("Store", (it) => {
  it.effect("keeps contents under their hash, once", () =>
    Effect.gen(function* () {
      const { layer, stored, at, fileSystem } = yield* makeWorkplace
      yield* Effect.gen(function* () {
        const store = yield* Store
        const files = yield* store.putFiles({ "a.txt": bytes("x"), "b.txt": bytes("x") })
        assert.strictEqual(files["a.txt"].sha256, sha256("x"))
        assert.deepStrictEqual(files["a.txt"], files["b.txt"])
        const read = yield* store.readFiles(files)
        assert.deepStrictEqual([...read["a.txt"]], [...bytes("x")])
        yield* store.copyTo(files["a.txt"], at("deep", "copy.txt"))
        assert.strictEqual(yield* fileSystem.readFileString(at("deep", "copy.txt")), "x")
        assert.deepStrictEqual(yield* fileSystem.readDirectory(at("deep")), ["copy.txt"])
      }).pipe(Effect.provide(layer()))
      assert.lengthOf(yield* stored("objects"), 1)
      assert.lengthOf(yield* stored("temporary"), 0)
    }),
  )

  it.effect("keeps a file from outside under the hash of its content", () =>
    Effect.gen(function* () {
      const { layer, stored, write, at } = yield* makeWorkplace
      yield* write("input.txt", "hello")
      yield* Effect.gen(function* () {
        const store = yield* Store
        const file = yield* store.putFile(at("input.txt"))
        assert.deepStrictEqual(file, { sha256: sha256("hello"), bytes: 5 })
        assert.deepStrictEqual(yield* store.putFile(at("input.txt")), file)
        assert.deepStrictEqual((yield* store.readFiles({ a: file })).a, bytes("hello"))
        const error = yield* Effect.flip(store.putFile(at("absent.txt")))
        assert.strictEqual(error._tag, "PlatformError")
      }).pipe(Effect.provide(layer()))
      assert.lengthOf(yield* stored("objects"), 1)
      assert.lengthOf(yield* stored("temporary"), 0)
    }),
  )

  it.effect("output hashes depend on type, names and contents", () =>
    Effect.gen(function* () {
      const { layer } = yield* makeWorkplace
      yield* Effect.gen(function* () {
        const store = yield* Store
        const hash = (type: string, name: string, text: string) =>
          Effect.map(store.putOutput(type, { [name]: bytes(text) }), (output) => output.sha256)
        const hashes = yield* Effect.all([
          hash("A", "n", "x"),
          hash("B", "n", "x"),
          hash("A", "m", "x"),
          hash("A", "n", "y"),
          hash("A", "n", "x"),
        ])
        assert.strictEqual(hashes[0], hashes[4])
        assert.strictEqual(new Set(hashes).size, 4)
      }).pipe(Effect.provide(layer()))
    }),
  )

  it.effect("a lookup tells hit, miss and each kind of damage", () =>
    Effect.gen(function* () {
      const { layer, at, write, fileSystem } = yield* makeWorkplace
      const key = sha256("key")
      const entryFile = `store/entries/${key.slice(0, 2)}/${key.slice(2)}.json`
      const lookup = Effect.gen(function* () {
        return yield* (yield* Store).lookup(key)
      }).pipe(Effect.provide(layer()))
      const keep = Effect.gen(function* () {
        const store = yield* Store
        const output = yield* store.putOutput("Text", { "text.txt": bytes("hello") })
        yield* store.putEntry({ ...entry(key), outputs: { text: output } })
        return output.files["text.txt"].sha256
      }).pipe(Effect.provide(layer()))
      assert.strictEqual((yield* lookup)._tag, "Miss")
      const object = yield* keep
      const objectFile = `store/objects/${object.slice(0, 2)}/${object.slice(2)}`
      assert.strictEqual((yield* lookup)._tag, "Hit")

      yield* write(objectFile, "hollo")
      const changed = yield* lookup
      assert.deepStrictEqual(changed, { _tag: "Damaged", detail: "text.txt is damaged" })
      assert.deepStrictEqual(yield* lookup, changed)
      yield* fileSystem.remove(at(objectFile))
      assert.deepStrictEqual(yield* lookup, { _tag: "Damaged", detail: "text.txt is missing" })
      yield* keep
      assert.strictEqual((yield* lookup)._tag, "Hit")

      const text = yield* fileSystem.readFileString(at(entryFile))
      yield* write(entryFile, text.replace('"a":1', '"a":2'))
      assert.deepStrictEqual(yield* lookup, {
        _tag: "Damaged",
        detail: "its entry is not readable",
      })
      yield* write(entryFile, "")
      assert.strictEqual((yield* lookup)._tag, "Damaged")
    }),
  )

  it.effect("putting what is there but damaged writes it again", () =>
    Effect.gen(function* () {
      const { layer, write } = yield* makeWorkplace
      const hash = sha256("x")
      const put = Effect.gen(function* () {
        const store = yield* Store
        return yield* store.readFiles(yield* store.putFiles({ a: bytes("x") }))
      }).pipe(Effect.provide(layer()))
      yield* put
      yield* write(`store/objects/${hash.slice(0, 2)}/${hash.slice(2)}`, "y")
      assert.deepStrictEqual([...(yield* put).a], [...bytes("x")])
    }),
  )

  it.effect("sweeps what dead processes left, and nothing else", () =>
    Effect.gen(function* () {
      const { layer, stored, write, at, fileSystem } = yield* makeWorkplace
      const open = Effect.scoped(Layer.build(layer()))
      yield* open
      yield* write(`store/temporary/${host}.${process.pid}.mine`, "a")
      yield* write(`store/temporary/${host}.4194305.dead`, "b")
      yield* write("store/temporary/elsewhere.1.young", "c")
      yield* write("store/temporary/elsewhere.1.old", "d")
      yield* fileSystem.utimes(at("store/temporary/elsewhere.1.old"), new Date(0), new Date(0))
      yield* fileSystem.utimes(
        at(`store/temporary/${host}.${process.pid}.mine`),
        new Date(),
        new Date(),
      )
      yield* open
      assert.deepStrictEqual(
        (yield* stored("temporary")).toSorted(),
        [`${host}.${process.pid}.mine`, "elsewhere.1.young"].toSorted(),
      )
    }),
  )

  it.effect("a folder that cannot be made is a typed error", () =>
    Effect.gen(function* () {
      const { at, write } = yield* makeWorkplace
      yield* write("file", "")
      const error = yield* Effect.scoped(Layer.build(Store.layer(at("file", "store")))).pipe(
        Effect.flip,
      )
      assert.strictEqual(error._tag, "StoreError")
      assert.match(error.message, /cannot be opened/)
      assert.match(error.hint, /--store/)
    }),
  )

  it.effect("checkpoints survive and are replaced whole; damaged ones are told and not used", () =>
    Effect.gen(function* () {
      const { layer, at, stored, fileSystem } = yield* makeWorkplace
      const use = <A, E>(f: (store: Store["Service"]) => Effect.Effect<A, E>) =>
        Effect.flatMap(Store, f).pipe(Effect.provide(layer()))
      yield* use((store) => store.checkpoints("k").save("a/b", { x: bytes("1"), y: bytes("") }))
      yield* use((store) => store.checkpoints("k").save("a/b", { x: bytes("22") }))
      const loaded = yield* use((store) => store.checkpoints("k").load("a/b"))
      assert.deepStrictEqual(Option.getOrThrow(loaded), { x: bytes("22") })
      const [file] = yield* stored("checkpoints")
      yield* fileSystem.truncate(at("store/checkpoints", file), 30)
      const [damaged, notices] = yield* Notices.collect(
        use((store) => store.checkpoints("k").load("a/b")),
      )
      assert.isTrue(Option.isNone(damaged))
      assert.match(notices[0], /damaged/)
      yield* use((store) => store.clearCheckpoints("k"))
      assert.deepStrictEqual(yield* stored("checkpoints"), [])
    }),
  )

  it.effect("contents are read-only, and each read checks them anew", () =>
    Effect.gen(function* () {
      const { layer, at, write, fileSystem } = yield* makeWorkplace
      yield* Effect.gen(function* () {
        const store = yield* Store
        const key = sha256("key")
        const output = yield* store.putOutput("Text", { "text.txt": bytes("hello") })
        yield* store.putEntry({ ...entry(key), outputs: { text: output } })
        const file = output.files["text.txt"]
        const object = `store/objects/${file.sha256.slice(0, 2)}/${file.sha256.slice(2)}`
        assert.strictEqual((yield* fileSystem.stat(at(object))).mode & 0o777, 0o444)
        yield* store.copyTo(file, at("copy.txt"))
        assert.strictEqual((yield* fileSystem.stat(at("copy.txt"))).mode & 0o777, 0o644)

        yield* write(object, "hellp")
        const lookup = yield* store.lookup(key)
        assert.deepStrictEqual(lookup, { _tag: "Damaged", detail: "text.txt is damaged" })
        const read = yield* Effect.flip(store.readFiles(output.files))
        assert.match(read.message, /the content of text\.txt .* was damaged/)
        assert.match(read.hint, /run again/)
        const copy = yield* Effect.flip(store.copyTo(file, at("other.txt")))
        assert.strictEqual(copy._tag, "StoreError")
        assert.isFalse(yield* fileSystem.exists(at("other.txt")))

        yield* store.putOutput("Text", { "text.txt": bytes("hello") })
        assert.strictEqual((yield* store.lookup(key))._tag, "Hit")
      }).pipe(Effect.provide(layer()))
    }),
  )

  it.effect("an entry that names places outside is no result", () =>
    Effect.gen(function* () {
      const { layer, write, at, fileSystem } = yield* makeWorkplace
      const key = sha256("key")
      const stored = { sha256: sha256("x"), bytes: 1 }
      const output = { type: "Text", sha256: "", files: {} }
      const evil = [
        { files: { "../evil": stored } },
        { files: { "a/b": stored } },
        { files: { a: { ...stored, sha256: "../../../etc/passwd" } } },
        { outputs: { "../evil": output } },
        { outputs: { text: { ...output, files: { "..": stored } } } },
      ]
      yield* fileSystem.makeDirectory(at("store/entries", key.slice(0, 2)), { recursive: true })
      for (const part of evil) {
        const told = { ...entry(key), ...part }
        const text = JSON.stringify({ sha256: sha256Json(told), entry: told })
        yield* write(`store/entries/${key.slice(0, 2)}/${key.slice(2)}.json`, text)
        const found = yield* Effect.flatMap(Store, (store) => store.lookup(key)).pipe(
          Effect.provide(layer()),
        )
        assert.strictEqual(found._tag, "Damaged", text)
      }
    }),
  )

  it.effect("files of runs are written, continued, read, listed and removed", () =>
    Effect.gen(function* () {
      const { layer, stored } = yield* makeWorkplace
      yield* Effect.gen(function* () {
        const store = yield* Store
        const read = (run: string, name: string) =>
          Effect.map(
            store.readRunFile(run, name),
            Option.map((found) => new TextDecoder().decode(found)),
          )
        assert.deepStrictEqual(yield* store.listRuns, [])
        yield* store.appendRunFile("run-a", "events.jsonl", "1\n")
        yield* store.appendRunFile("run-a", "events.jsonl", "2\n")
        yield* store.writeRunFile("run-a", "manifest.json", "{}")
        yield* store.writeRunFile("run-b", "manifest.json", "{}")
        assert.deepStrictEqual(yield* read("run-a", "events.jsonl"), Option.some("1\n2\n"))
        assert.deepStrictEqual(yield* read("run-a", "absent"), Option.none())
        assert.deepStrictEqual(yield* read("absent", "manifest.json"), Option.none())
        assert.deepStrictEqual(yield* read("..", "version"), Option.none())
        assert.deepStrictEqual(
          (yield* store.listRuns).map(({ run }) => run),
          ["run-b", "run-a"],
        )
        assert.strictEqual(yield* store.findRun("run-a"), "run-a")
        const unknown = yield* Effect.flip(store.findRun("rum-a"))
        assert.strictEqual(unknown._tag, "UnknownRun")
        assert.match(unknown.hint, /did you mean "run-a"/)
        yield* store.removeRun("run-a")
        yield* store.removeRun("absent")
        assert.deepStrictEqual(
          (yield* store.listRuns).map(({ run }) => run),
          ["run-b"],
        )
      }).pipe(Effect.provide(layer()))
      assert.deepStrictEqual(yield* stored("temporary"), [])
      assert.deepStrictEqual(yield* stored("leases"), [])
    }),
  )

  it.effect("says what it holds by run and by step", () =>
    Effect.gen(function* () {
      const { layer, run, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      const text = `name: two
steps:
  story: { use: test/read, path: story.txt }
  loud: { use: test/shout, text: $story }
`
      yield* run(text)
      yield* run(text, { set: ["steps.loud.times=2"] })
      const usage = yield* Effect.flatMap(Store, (store) => store.usage).pipe(
        Effect.provide(layer()),
      )
      assert.deepStrictEqual(
        usage.runs.map(({ pipeline, status, steps, bytes }) => [pipeline, status, steps, bytes]),
        [
          ["two", "done", 2, 4 + 8 + 1],
          ["two", "done", 2, 4 + 4 + 1],
        ],
      )
      assert.deepStrictEqual(usage.steps, [
        { pipeline: "two", step: "story", use: "test/read", results: 1, bytes: 4 },
        { pipeline: "two", step: "loud", use: "test/shout", results: 2, bytes: 8 + 4 + 1 },
      ])
      assert.deepStrictEqual(
        [usage.entries, usage.objects, usage.checkpoints, usage.bytes],
        [3, 4, 0, 4 + 4 + 8 + 1],
      )
    }),
  )
})
