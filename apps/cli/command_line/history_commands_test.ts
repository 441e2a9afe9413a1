import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"

type Place = ReturnType<typeof makeFolder>

const inFolder = (test: (place: Place) => Promise<void>) => async () => {
  const place = makeFolder()
  try {
    await test(place)
  } finally {
    place.remove()
  }
}

const pipeline = `name: counts
steps:
  one: { use: test/count, end: 7 }
  many: { use: test/count, matrix: { end: [14, 21] }, text: $one }
`

const store = ["--store", "store"]

interface Listed {
  readonly run: string
  readonly status: string
}

/** The names of the runs, the newest first. */
const runsOf = async (place: Place): Promise<ReadonlyArray<Listed>> => {
  const { out } = await place.espalier(["ls", "--json", ...store])
  return JSON.parse(out) as ReadonlyArray<Listed>
}

describe.concurrent("what runs leave behind", () => {
  it(
    "ls, status, logs and diff tell of them",
    inFolder(async (place) => {
      const empty = await place.espalier(["ls", ...store])
      assert.strictEqual(empty.out, "no runs yet\n")
      place.write("p.yaml", pipeline)
      const run = (...args: ReadonlyArray<string>) =>
        place.espalier(["run", "p.yaml", ...store, ...args])
      assert.strictEqual((await run()).code, 0)
      assert.strictEqual((await run("--set", "steps.one.end=8", "--set", "seed=3")).code, 0)
      const [second, first] = await runsOf(place)
      assert.deepStrictEqual([first.status, second.status], ["done", "done"])
      const table = await place.espalier(["ls", ...store])
      assert.match(table.out, /counts +done .* 3 done\n/)
      const status = await place.espalier(["status", first.run, ...store])
      assert.match(status.out, /^counts, run .*: done, 3 of 3 steps ended\n/)
      assert.match(status.out, /many\[end=14\] +done/)
      const logs = await place.espalier(["logs", first.run, "--step", "one", ...store])
      assert.match(logs.out, /Z one: test\/count: never run\n/)
      assert.match(logs.out, /Z one: note: asked for 7 windows/)
      assert.match(logs.out, /Z one: done in /)
      assert.notMatch(logs.out, /many/)
      const diff = await place.espalier(["diff", first.run, second.run, ...store])
      assert.match(diff.out, /steps\.one\.end +7 +8\n/)
      assert.match(diff.out, /seed +0 +3\n/)
      assert.match(diff.out, /one\.perplexity +1 +1\.1429 +\+0\.14286/)
      assert.notMatch(diff.out, /many/)
      const json = await place.espalier(["diff", first.run, second.run, "--json", ...store])
      const told = JSON.parse(json.out) as { readonly pipeline: ReadonlyArray<object> }
      assert.deepStrictEqual(told.pipeline, [{ at: "steps.one.end", before: 7, after: 8 }])
      const same = await place.espalier(["diff", first.run, first.run, ...store])
      assert.strictEqual(same.out, "no difference\n")
    }),
  )

  it(
    "verify does everything again and compares",
    inFolder(async (place) => {
      place.write("p.yaml", pipeline)
      await place.espalier(["run", "p.yaml", ...store])
      const [{ run }] = await runsOf(place)
      const sound = await place.espalier(["verify", ...store])
      assert.strictEqual(sound.code, 0, sound.error)
      assert.match(sound.out, /many\[end=21\] +same/)
      const file = place.at("store", "runs", run, "manifest.json")
      const manifest = readFileSync(file, "utf8")
      writeFileSync(file, manifest.replace('"perplexity": 2', '"perplexity": 2.5'))
      const other = await place.espalier(["verify", run.slice(0, 15), ...store])
      assert.strictEqual(other.code, 1)
      assert.match(other.out, /many\[end=14\] +differs +perplexity 2\.5 → 2/)
      assert.match(other.error, /gave something else this time: many\[end=14\]/)
      assertFriendly(other.error)
    }),
  )

  it(
    "says what is not there",
    inFolder(async (place) => {
      const none = await place.espalier(["status", ...store])
      assert.strictEqual(none.code, 2)
      assert.match(none.error, /there is no run in .*store/)
      place.write("p.yaml", pipeline)
      await place.espalier(["run", "p.yaml", ...store])
      for (const args of [
        ["status", "1999"],
        ["logs", "1999"],
        ["diff", "2", "1999"],
        ["verify", "1999"],
      ]) {
        const ended = await place.espalier([...args, ...store])
        assert.strictEqual(ended.code, 2, args.join(" "))
        assert.match(ended.error, /there is no run 1999 in /)
        assertFriendly(ended.error)
      }
    }),
  )
})

describe.concurrent("espalier run", () => {
  it(
    "--only, --from and --limit run parts; --events prints lines of JSON",
    inFolder(async (place) => {
      place.write("p.yaml", pipeline)
      const run = async (...args: ReadonlyArray<string>) => {
        const ended = await place.espalier(["run", "p.yaml", "--json", ...store, ...args])
        assert.strictEqual(ended.code, 0, ended.error)
        const { steps } = JSON.parse(ended.out) as {
          readonly steps: Readonly<Record<string, { readonly status: string }>>
        }
        return Object.fromEntries(Object.entries(steps).map(([id, { status }]) => [id, status]))
      }
      assert.deepStrictEqual(await run("--only", "one"), { one: "done" })
      assert.deepStrictEqual(await run("--only", "many[end=21]"), {
        one: "cached",
        "many[end=21]": "done",
      })
      assert.deepStrictEqual(await run("--from", "many", "--jobs", "2"), {
        one: "cached",
        "many[end=14]": "done",
        "many[end=21]": "done",
      })
      const unknown = await place.espalier(["run", "p.yaml", "--only", "won", ...store])
      assert.strictEqual(unknown.code, 2)
      assert.match(unknown.error, /no step won\nhint: \S/)
      const events = await place.espalier(["run", "p.yaml", "--events", ...store])
      const kinds = events.out
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { readonly event: string }).event)
      assert.strictEqual(kinds[0], "RunStarted")
      assert.strictEqual(kinds.at(-1), "RunFinished")
      assert.strictEqual(kinds.filter((kind) => kind === "StepFinished").length, 3)
    }),
  )

  it(
    "goes on with what does not need a failed step, unless it is told to stop",
    inFolder(async (place) => {
      place.write(
        "f.yaml",
        "name: f\nsteps:\n  bad: { use: test/spoil }\n  good: { use: test/count, end: 1 }\n",
      )
      const statusesOf = (out: string) => {
        const { steps } = JSON.parse(out) as { steps: Record<string, { status: string }> }
        return [steps["bad"].status, steps["good"].status]
      }
      const stopped = await place.espalier(["run", "f.yaml", "--no-keep-going", "--json", ...store])
      assert.strictEqual(stopped.code, 1)
      assert.deepStrictEqual(statusesOf(stopped.out), ["failed", "skipped"])
      const went = await place.espalier(["run", "f.yaml", "--json", ...store])
      assert.deepStrictEqual(statusesOf(went.out), ["failed", "done"])
    }),
  )
})

describe.concurrent("espalier init, schema, doctor and completions", () => {
  it(
    "write and print what they say",
    inFolder(async (place) => {
      const written = await place.espalier(["init", "prune", "--out", "deep/p.yaml"])
      assert.strictEqual(written.code, 0, written.error)
      assert.match(
        readFileSync(place.at("deep", "p.yaml"), "utf8"),
        /\$schema=pipeline\.schema\.json\n/,
      )
      assert.isTrue(existsSync(place.at("deep", "pipeline.schema.json")))
      const again = await place.espalier(["init", "--out", "deep/p.yaml"])
      assert.strictEqual(again.code, 2)
      assertFriendly(again.error)
      const doctor = await place.espalier(["doctor", "--json", ...store])
      const findings = JSON.parse(doctor.out) as ReadonlyArray<{ what: string; state: string }>
      const stateOf = (what: string) => findings.find((found) => found.what === what)?.state
      assert.deepStrictEqual([stateOf("Node"), stateOf("wasm")], ["fine", "fine"])
      assert.strictEqual(stateOf("webgpu"), "missing")
      for (const shell of ["bash", "zsh", "fish"]) {
        const { out } = await place.espalier(["completions", shell])
        assert.match(out, /espalier/)
        assert.match(out, /resume/)
      }
      const list = await place.espalier(["list"])
      assert.deepStrictEqual(list.out, (await place.espalier(["steps"])).out)
      const group = await place.espalier(["list", "test"])
      assert.match(group.out, /^test\//)
      assert.match((await place.espalier(["list", "test/count"])).out, /^test\/count: /)
      const wrong = await place.espalier(["list", "test/cuont"])
      assert.strictEqual(wrong.code, 2)
      assert.match(wrong.error, /there is no step test\/cuont.*\nhint: did you mean "test\/count"/)
    }),
  )
})
