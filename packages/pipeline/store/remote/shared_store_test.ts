import { NodeServices } from "@effect/platform-node"
import { afterAll, assert, beforeAll, describe, layer } from "@effect/vitest"
import { type Ceph, hasCeph, startCeph } from "@espalier/ceph"
import { Notices } from "@espalier/runtime"
import { Effect, Option, Redacted, Stream } from "effect"
import { Store } from "../../mod.ts"
import { sha256 } from "../../sha256.ts"
import { makeGate, type Passing } from "../../testing/gate.ts"
import { runs } from "../../testing/steps.ts"
import { makeWorkplaceWith, statuses } from "../../testing/workplace.ts"
import { inMemory } from "./remote.ts"
import { s3Remote } from "./s3_remote.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const text = (name: string) => `name: shared
steps:
  ${name}: { use: test/slow, end: 3 }
  loud-${name}: { use: test/shout, text: $${name}, times: 2 }
  length-${name}: { use: test/measure, text: $loud-${name} }
`

const entry = (key: string, seconds: number) => ({
  key: sha256(key),
  use: "test/x",
  outputs: {},
  files: {},
  metrics: {},
  seconds,
  dispatches: 0,
  hostFallbacks: [],
  notices: [],
  finished: "2026-01-01T00:00:00.000Z",
})

describe.skipIf(!hasCeph())("stores with a remote", () => {
  let ceph: Ceph
  let gate: Awaited<ReturnType<typeof makeGate>>
  beforeAll(async () => {
    ceph = await startCeph()
    await ceph.makeBucket("bucket")
    gate = await makeGate(ceph.endpoint)
  })
  afterAll(async () => {
    await gate.close()
    await ceph.remove()
  })

  layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    const remoteAt = (prefix: string) =>
      s3Remote(
        `s3://bucket/${prefix}`,
        {
          accessKeyId: ceph.accessKeyId,
          secretAccessKey: Redacted.make(ceph.secretAccessKey),
          region: "us-east-1",
          endpoint: gate.endpoint,
        },
        { silence: 400, patience: 800 },
      )
    /** Two machines, so to speak: folders of their own, one remote. */
    const makePair = Effect.fnUntraced(function* (prefix: string) {
      const remote = yield* remoteAt(prefix)
      return [
        yield* makeWorkplaceWith(remote),
        yield* makeWorkplaceWith(yield* remoteAt(prefix)),
        remote,
      ] as const
    })
    const sent = () =>
      gate.passed.filter(({ method }: Passing) => method === "PUT").map(({ path }) => path)

    it.effect("compute nothing twice, and hold the same bytes", () =>
      Effect.gen(function* () {
        const [here, there] = yield* makePair("twice")
        const first = yield* here.run(text("twice"))
        assert.deepStrictEqual(new Set(Object.values(statuses(first))), new Set(["done"]))
        const planned = yield* there.plan(text("twice"))
        assert.deepStrictEqual(
          planned.map(({ cache }) => cache),
          ["hit", "hit", "hit"],
        )
        assert.lengthOf(yield* there.stored("objects"), 0)
        const second = yield* there.run(text("twice"))
        assert.deepStrictEqual(new Set(Object.values(statuses(second))), new Set(["cached"]))
        assert.strictEqual(runs.get("loud-twice"), 1)
        const [mine, others] = [yield* here.stored("objects"), yield* there.stored("objects")]
        assert.deepStrictEqual(others.toSorted(), mine.toSorted())
        for (const name of mine) {
          const [a, b] = yield* Effect.all(
            [here, there].map(({ at, fileSystem }) =>
              fileSystem.readFile(at("store", "objects", name)),
            ),
          )
          assert.deepStrictEqual(a, b)
        }
        // What is there is neither sent nor fetched again.
        gate.reset()
        yield* there.run(text("twice"))
        assert.deepStrictEqual(
          sent().filter((path) => !path.endsWith("/version")),
          [],
        )
        assert.isFalse(gate.passed.some(({ method }) => method === "GET"))
      }),
    )

    it.effect("put contents before the entry that names them", () =>
      Effect.gen(function* () {
        const [here] = yield* makePair("order")
        gate.reset()
        yield* here.run(`name: one\nsteps:\n  order: { use: test/slow, end: 1 }\n`)
        const kinds = sent().map((path) => path.split("/")[3])
        assert.deepStrictEqual(kinds, ["version", "version", "checkpoints", "objects", "entries"])
        const left = yield* (yield* remoteAt("order")).list("checkpoints/")
        assert.deepStrictEqual(left, [])
      }),
    )

    it.effect("share what was computed before there was a remote", () =>
      Effect.gen(function* () {
        const alone = yield* makeWorkplaceWith()
        yield* alone.run(text("before"))
        const remote = yield* remoteAt("before")
        const withRemote = Store.layerWithRemote(alone.at("store"), { remote })
        const names = yield* alone.stored("entries")
        yield* Effect.gen(function* () {
          const store = yield* Store
          for (const name of names) {
            const found = yield* store.lookup(name.replaceAll(/[/\\]|\.json$/g, ""))
            if (found._tag === "Hit") yield* store.share(found.entry)
          }
        }).pipe(Effect.provide(withRemote))
        const other = yield* makeWorkplaceWith(remote)
        const record = yield* other.run(text("before"))
        assert.deepStrictEqual(new Set(Object.values(statuses(record))), new Set(["cached"]))
      }),
    )

    it.effect("find a flipped byte, name it and compute anew; the remote is mended", () =>
      Effect.gen(function* () {
        const [here, there, remote] = yield* makePair("flipped")
        yield* here.run(text("flipped"))
        const hash = sha256("X".repeat(6))
        const name = `objects/${hash.slice(0, 2)}/${hash.slice(2)}`
        yield* remote.put(name, inMemory(bytes("XXXxXX")))
        const record = yield* there.run(text("flipped"))
        assert.deepStrictEqual(statuses(record), {
          flipped: "cached",
          "loud-flipped": "done",
          "length-flipped": "cached",
        })
        const [notice] = record.steps["loud-flipped"].notices
        assert.include(notice, "text.txt is damaged in s3://bucket/flipped")
        const mended = yield* remote.get(name, Stream.mkUint8Array)
        assert.deepStrictEqual(Option.getOrThrow(mended), bytes("XXXXXX"))
        const third = yield* makeWorkplaceWith(yield* remoteAt("flipped"))
        const again = yield* third.run(text("flipped"))
        assert.strictEqual(again.steps["loud-flipped"].status, "cached")
      }),
    )

    it.effect("mend a folder from the remote", () =>
      Effect.gen(function* () {
        const [here] = yield* makePair("mend")
        yield* here.run(text("mend"))
        for (const name of yield* here.stored("objects")) {
          yield* here.write(`store/objects/${name}`, "damaged")
        }
        const record = yield* here.run(text("mend"))
        assert.deepStrictEqual(new Set(Object.values(statuses(record))), new Set(["cached"]))
      }),
    )

    it.effect("an entry that is not readable counts as missing, and is replaced", () =>
      Effect.gen(function* () {
        const [here, there, remote] = yield* makePair("entry")
        yield* here.run(text("entry"))
        for (const name of yield* remote.list("entries/")) {
          yield* remote.put(name, inMemory(bytes("{}")))
        }
        const record = yield* there.run(text("entry"))
        assert.deepStrictEqual(new Set(Object.values(statuses(record))), new Set(["done"]))
        assert.include(record.steps.entry.notices[0], "its entry in s3://bucket/entry")
        const third = yield* makeWorkplaceWith(yield* remoteAt("entry"))
        const again = yield* third.run(text("entry"))
        assert.deepStrictEqual(new Set(Object.values(statuses(again))), new Set(["cached"]))
      }),
    )

    it.effect("of several results of one key the first stands", () =>
      Effect.gen(function* () {
        const places = yield* Effect.all(
          Array.from({ length: 4 }, () => Effect.flatMap(remoteAt("one"), makeWorkplaceWith)),
        )
        const standing = yield* Effect.forEach(
          places,
          (place, n) =>
            Effect.flatMap(Store, (store) => store.putEntry(entry("one", n))).pipe(
              Effect.provide(place.layer()),
            ),
          { concurrency: 4 },
        )
        assert.lengthOf(new Set(standing.map(({ seconds }) => seconds)), 1)
        for (const place of places) {
          const found = yield* Effect.flatMap(Store, (store) => store.lookup(sha256("one"))).pipe(
            Effect.provide(place.layer()),
          )
          assert.strictEqual(found._tag === "Hit" && found.entry.seconds, standing[0].seconds)
        }
      }),
    )

    it.effect("what is asked for anew replaces what stood", () =>
      Effect.gen(function* () {
        const [here, there] = yield* makePair("anew")
        const one = `name: anew\nsteps:\n  anew: { use: test/slow, end: 2 }\n`
        yield* here.run(one)
        yield* there.run(one, { from: "anew" })
        const keys = yield* here.stored("entries")
        const key = keys[0].replaceAll(/[/\\]|\.json$/g, "")
        const read = (place: typeof here, how: "lookup" | "lookupNewest") =>
          Effect.flatMap(Store, (store) => store[how](key)).pipe(
            Effect.map((found) => (found._tag === "Hit" ? found.entry.finished : "")),
            Effect.provide(place.layer()),
          )
        const [old, made] = [yield* read(here, "lookup"), yield* read(there, "lookup")]
        assert.notStrictEqual(old, made)
        assert.strictEqual(yield* read(here, "lookupNewest"), made)
      }),
    )

    it.effect("another machine goes on from a checkpoint", () =>
      Effect.gen(function* () {
        const [here, there] = yield* makePair("checkpoint")
        const key = sha256("checkpoint")
        const from = (place: typeof here) =>
          Effect.map(Store, (store) => store.checkpoints(key)).pipe(Effect.provide(place.layer()))
        const load = Effect.flatMap(from(there), (checkpoints) => checkpoints.load("n"))
        yield* Effect.flatMap(from(here), ({ save }) => save("n", { n: Uint8Array.of(5) }))
        assert.deepStrictEqual(Option.getOrThrow(yield* load).n, Uint8Array.of(5))
        yield* Effect.flatMap(Store, (store) => store.clearCheckpoints(key)).pipe(
          Effect.provide(here.layer()),
        )
        assert.isTrue(Option.isNone(yield* load))
      }),
    )

    it.effect("a remote that goes away costs no result, and no checkpoint of this machine", () =>
      Effect.gen(function* () {
        const [here, there] = yield* makePair("away")
        const layer = here.layer()
        const told: Array<string> = []
        yield* Effect.gen(function* () {
          const store = yield* Store
          gate.failWhen(() => ({ status: 503 }))
          const { save, load } = store.checkpoints(sha256("away"))
          yield* save("n", { n: Uint8Array.of(1) })
          assert.isTrue(Option.isSome(yield* load("n")))
          const error = yield* Effect.flip(store.putFiles({ "a.txt": bytes("away") }))
          assert.strictEqual(error._tag, "StoreError")
          assert.include(error.message, "s3://bucket/away")
          assert.notInclude(error.message + error.hint, "geheimnis")
          gate.reset()
          yield* store.putFiles({ "a.txt": bytes("away") })
        }).pipe(
          Effect.provide(layer),
          Effect.provideService(Notices, {
            report: (message) => Effect.sync(() => void told.push(message)),
          }),
        )
        assert.lengthOf(told, 2)
        const file = { sha256: sha256("away"), bytes: 4 }
        const read = yield* Effect.flatMap(Store, (store) => store.readFiles({ file })).pipe(
          Effect.provide(there.layer()),
        )
        assert.deepStrictEqual(read.file, bytes("away"))
      }),
    )

    it.effect("garbage is collected in the folder, never in the remote", () =>
      Effect.gen(function* () {
        const [here, there, remote] = yield* makePair("garbage")
        yield* here.run(text("garbage"))
        const before = yield* remote.list("")
        yield* Effect.flatMap(Store, (store) =>
          store.collectGarbage({ keepRuns: 0, grace: 0 }),
        ).pipe(Effect.provide(here.layer()))
        assert.deepStrictEqual(yield* here.stored("objects"), [])
        assert.deepStrictEqual(yield* remote.list(""), before)
        const record = yield* there.run(text("garbage"))
        assert.deepStrictEqual(new Set(Object.values(statuses(record))), new Set(["cached"]))
      }),
    )
  })
})
