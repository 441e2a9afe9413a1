import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Notices } from "@espalier/runtime"
import { Effect, Layer, Option, Schema } from "effect"
import { packCheckpoint, unpackCheckpoint } from "./checkpoint_file.ts"
import { sha256 } from "./sha256.ts"
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
      const { createHash } = yield* Effect.promise(() => import("node:crypto"))
      const { hostname } = yield* Effect.promise(() => import("node:os"))
      const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 12)
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

  it.effect.prop(
    "unpacking gives what was packed, and nothing from a damaged pack",
    [Schema.Record(Schema.String, Schema.Uint8Array), Schema.Natural, Schema.Int],
    ([files, place, flip]) =>
      Effect.sync(() => {
        const packed = packCheckpoint(files)
        assert.deepStrictEqual(Option.getOrThrow(unpackCheckpoint(packed)), files)
        const broken = packed.slice()
        broken[place % broken.length] ^= (Math.abs(flip) % 255) + 1
        assert.isTrue(Option.isNone(unpackCheckpoint(broken)))
        assert.isTrue(Option.isNone(unpackCheckpoint(packed.subarray(0, packed.length - 1))))
      }),
  )
})
