import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { packTar, type TarEntry, unpackTar } from "modern-tar"
import { canonicalJson } from "../canonical_json.ts"
import { sha256 } from "../sha256.ts"
import { Store } from "../store.ts"
import { makeWorkplace, statuses } from "../testing/workplace.ts"

const story = `name: story
steps:
  story: { use: test/read, path: story.txt }
  loud: { use: test/shout, text: $story }
  size: { use: test/measure, text: $loud }
`

/** A folder in which a pipeline has run twice, and what its store exported. */
const makeExported = Effect.gen(function* () {
  const place = yield* makeWorkplace
  const { at, run, write, fileSystem } = place
  yield* write("story.txt", "Once upon a time")
  const { run: first } = yield* run(story)
  const { run: second } = yield* run(story, { set: ["steps.loud.times=2"] })
  const use = <A, E>(folder: string, f: (store: Store["Service"]) => Effect.Effect<A, E>) =>
    Effect.flatMap(Store, f).pipe(Effect.provide(Store.layer(at(folder))))
  const exported = yield* use("store", (store) => store.exportRuns([first, second], at("runs.tar")))
  const archive = yield* fileSystem.readFile(at("runs.tar"))
  /** Everything that a store holds, but for what tells of processes. */
  const contents = (folder: string) =>
    Effect.gen(function* () {
      const found: Record<string, string> = {}
      const names = yield* fileSystem.readDirectory(at(folder), { recursive: true })
      for (const name of names.toSorted()) {
        const { type } = yield* fileSystem.stat(at(folder, name))
        if (type === "File") found[name] = sha256(yield* fileSystem.readFile(at(folder, name)))
      }
      return found
    })
  return { ...place, first, second, exported, archive, use, contents }
})

type Members = Array<{ header: TarEntry["header"]; data: Uint8Array }>

/** Unpacks an archive, has it changed, packs it again with a list that fits, and gives its bytes. */
const forge = (archive: Uint8Array, change: (members: Members) => void, listed = true) =>
  Effect.promise(async () => {
    const [, ...rest] = await unpackTar(archive)
    const members: Members = rest.map(({ header, data }) => ({
      header,
      data: data ?? new Uint8Array(),
    }))
    change(members)
    const index = {
      format: "espalier runs",
      version: 1,
      members: listed
        ? Object.fromEntries(
            members.map(({ header, data }) => [
              header.name,
              { bytes: data.length, sha256: sha256(data) },
            ]),
          )
        : {},
    }
    const bytes = new TextEncoder().encode(JSON.stringify(index))
    return await packTar(
      [{ header: { name: "index.json", size: bytes.length }, data: bytes }, ...members].map(
        ({ header, data }) => ({ header: { ...header, size: data.length }, body: data }),
      ),
    )
  })

const text = (content: string) => new TextEncoder().encode(content)

layer(NodeServices.layer, { excludeTestServices: true })("archives of runs", (it) => {
  it.effect("bring runs and all their results to another store", () =>
    Effect.gen(function* () {
      const { at, use, exported, first, second, fileSystem, run, contents } = yield* makeExported
      assert.strictEqual(exported.runs, 2)
      assert.strictEqual(exported.entries, 5)
      const report = yield* use("other", (store) => store.importRuns(at("runs.tar")))
      assert.deepStrictEqual(report.runs.toSorted(), [first, second].toSorted())
      assert.deepStrictEqual(report.known, [])
      const here = yield* contents("store")
      const there = yield* contents("other")
      const moved = Object.keys(here).filter((name) => /^(objects|entries|runs)/.test(name))
      assert.isAbove(moved.length, 8)
      for (const name of moved) assert.strictEqual(there[name], here[name], name)
      yield* fileSystem.remove(at("store"), { recursive: true })
      yield* fileSystem.rename(at("other"), at("store"))
      for (const set of [[], ["steps.loud.times=2"]]) {
        const record = yield* run(story, { set })
        assert.deepStrictEqual(new Set(Object.values(statuses(record))), new Set(["cached"]))
      }
      const again = yield* use("store", (store) => store.importRuns(at("runs.tar")))
      assert.deepStrictEqual(again.known.toSorted(), [first, second].toSorted())
    }),
  )

  it.effect("are the same bytes for the same runs", () =>
    Effect.gen(function* () {
      const { at, use, first, second, archive, fileSystem } = yield* makeExported
      yield* use("store", (store) => store.exportRuns([first, second], at("again.tar")))
      assert.deepStrictEqual(yield* fileSystem.readFile(at("again.tar")), archive)
    }),
  )

  it.effect("replace what was damaged in the store", () =>
    Effect.gen(function* () {
      const { at, use, write, stored, run } = yield* makeExported
      for (const name of yield* stored("objects")) yield* write(`store/objects/${name}`, "?")
      for (const name of yield* stored("entries")) yield* write(`store/entries/${name}`, "?")
      yield* use("store", (store) => store.importRuns(at("runs.tar")))
      const record = yield* run(story)
      assert.deepStrictEqual(new Set(Object.values(statuses(record))), new Set(["cached"]))
    }),
  )

  it.effect("are not written of runs that are not there or not whole, nor over a file", () =>
    Effect.gen(function* () {
      const { at, use, first, stored, write, fileSystem } = yield* makeExported
      const fail = (runs: ReadonlyArray<string>, file = "x.tar") =>
        Effect.flip(use("store", (store) => store.exportRuns(runs, at(file))))
      const unknown = yield* fail([`${first}x`])
      assert.strictEqual(unknown._tag, "UnknownRun")
      assert.include(unknown.hint, `did you mean "${first}"`)
      assert.strictEqual((yield* fail(["../../etc"]))._tag, "UnknownRun")
      assert.strictEqual((yield* fail([first], "runs.tar"))._tag, "ArchiveExists")
      assert.strictEqual((yield* fail([first], "story.txt/x.tar"))._tag, "ArchiveFileError")
      yield* fileSystem.makeDirectory(at("store/runs/killed"))
      assert.strictEqual((yield* fail(["killed"]))._tag, "RunIncomplete")
      for (const name of yield* stored("objects")) yield* write(`store/objects/${name}`, "?")
      const damaged = yield* fail([first])
      assert.strictEqual(damaged._tag, "RunIncomplete")
      assert.match(damaged.message, /the result of story is damaged: text\.txt/)
      const names = yield* fileSystem.readDirectory(at())
      assert.deepStrictEqual(
        names.filter((name) => name.endsWith("x.tar") || name.startsWith(".")),
        [],
      )
      assert.deepStrictEqual(yield* stored("temporary"), [])
    }),
  )

  it.effect("that are hostile, damaged or none are told, and change nothing", () =>
    Effect.gen(function* () {
      const { archive, at, use, contents, fileSystem, second } = yield* makeExported
      const entry = (members: Members) => {
        const found = members.find(({ header }) => header.name.startsWith("entries/"))
        if (found === undefined) throw new Error("no entry")
        return found
      }
      const add = (header: TarEntry["header"], data = text("x")) =>
        forge(archive, (members) => void members.push({ header, data }))
      const half = archive.length / 2
      const flipped = archive.slice()
      flipped[Math.floor(half)] ^= 1
      const object = sha256("x")
      const cases: Record<string, Uint8Array> = {
        nothing: new Uint8Array(),
        zeros: new Uint8Array(4096),
        "some text": text("hello\n".repeat(400)),
        "a flipped bit": flipped,
        "cut in half": archive.slice(0, half - (half % 512)),
        "cut anywhere": archive.slice(0, half + 77),
        "without its end": archive.slice(0, -1024),
        "more after it": Uint8Array.of(...archive, ...text("more")),
        "another first member": yield* Effect.promise(() =>
          packTar([{ header: { name: "a", size: 1 }, body: "x" }]),
        ),
        "a list of nothing": yield* forge(archive, () => {}, false),
        "an absolute name": yield* add({ name: "/tmp/espalier-evil", size: 1 }),
        "a name above": yield* add({ name: "../evil", size: 1 }),
        "a name above, within": yield* add({ name: "runs/../evil", size: 1 }),
        "a name further down": yield* add({ name: "runs/a/b/c", size: 1 }),
        "a name elsewhere": yield* add({ name: "latest/p-a/b.json", size: 1 }),
        "a name of the store": yield* add({ name: "version", size: 1 }),
        "a hidden file": yield* add({ name: "runs/r/.profile", size: 1 }),
        "a prototype": yield* add({ name: "__proto__", size: 1 }),
        "an object under another hash": yield* add({
          name: `objects/00/${object.slice(2)}`,
          size: 1,
        }),
        "a symbolic link": yield* add(
          { name: `runs/${second}/link`, size: 0, type: "symlink", linkname: "/etc/passwd" },
          new Uint8Array(),
        ),
        "a hard link": yield* add(
          { name: `runs/${second}/link`, size: 0, type: "link", linkname: "/etc/passwd" },
          new Uint8Array(),
        ),
        "a folder": yield* add(
          { name: `runs/${second}/folder/`, size: 0, type: "directory" },
          new Uint8Array(),
        ),
        "a long name by an extension": yield* add({
          name: `runs/${second}/a`,
          size: 1,
          pax: { path: "../../evil" },
        }),
        "a member twice": yield* forge(archive, (members) => void members.push(members[0])),
        "a run without a manifest": yield* add({ name: "runs/new/results.json", size: 1 }),
        "a manifest that is none": yield* add({ name: "runs/new/manifest.json", size: 1 }),
        "an entry of another key": yield* forge(archive, (members) => {
          const { data } = entry(members)
          members.push({ header: { name: `entries/00/${"0".repeat(62)}.json`, size: 0 }, data })
        }),
        "an entry without its contents": yield* forge(archive, (members) => {
          const index = members.findIndex(({ header }) => header.name.startsWith("objects/"))
          members.splice(index, 1)
        }),
        "an entry that leads elsewhere": yield* forge(archive, (members) => {
          const found = entry(members)
          const { entry: told } = JSON.parse(new TextDecoder().decode(found.data)) as {
            entry: { files: object }
          }
          const evil = { ...told, files: { "../../evil": { sha256: object, bytes: 1 } } }
          found.data = text(JSON.stringify({ sha256: sha256(canonicalJson(evil)), entry: evil }))
          members.push({
            header: { name: `objects/${object.slice(0, 2)}/${object.slice(2)}`, size: 1 },
            data: text("x"),
          })
        }),
      }
      yield* use("other", () => Effect.void)
      const before = yield* contents("other")
      const outside = yield* fileSystem.readDirectory(at())
      for (const [name, bytes] of Object.entries(cases)) {
        yield* fileSystem.writeFile(at("bad.tar"), bytes)
        const error = yield* Effect.flip(
          use("other", (store) => store.importRuns(at("bad.tar"))),
        ).pipe(Effect.catchCause((cause) => Effect.die(new Error(`${name}: ${String(cause)}`))))
        assert.strictEqual(error._tag, "InvalidArchive", `${name}: ${error.message}`)
        assert.include(error.hint, "nothing of it was taken")
        assert.deepStrictEqual(yield* contents("other"), before, name)
      }
      yield* fileSystem.remove(at("bad.tar"))
      assert.deepStrictEqual(yield* fileSystem.readDirectory(at()), outside)
    }),
  )

  it.effect(
    "are not taken where the store has another run of that name, or where there is no file",
    () =>
      Effect.gen(function* () {
        const { archive, at, use, contents, fileSystem, first } = yield* makeExported
        const other = yield* forge(archive, (members) => {
          for (const member of members) {
            if (member.header.name !== `runs/${first}/manifest.json`) continue
            member.data = Uint8Array.of(...member.data, 10)
          }
        })
        yield* fileSystem.writeFile(at("other.tar"), other)
        const before = yield* contents("store")
        const fail = (file: string) =>
          Effect.flip(use("store", (store) => store.importRuns(at(file))))
        const error = yield* fail("other.tar")
        assert.strictEqual(error._tag, "RunExists")
        assert.include(error.message, first)
        assert.deepStrictEqual(yield* contents("store"), before)
        for (const file of ["absent.tar", "store"]) {
          const unreadable = yield* fail(file)
          assert.strictEqual(unreadable._tag, "ArchiveFileError")
        }
      }),
  )
})
