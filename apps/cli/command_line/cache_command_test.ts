import { afterAll, assert, describe, it } from "@effect/vitest"
import type { GarbageReport, StoreUsage } from "@espalier/pipeline"
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"

type Place = ReturnType<typeof makeFolder> & {
  /** The names of the runs, the first one first. */
  readonly runs: () => ReadonlyArray<string>
  readonly cache: (
    ...args: ReadonlyArray<string>
  ) => ReturnType<ReturnType<typeof makeFolder>["espalier"]>
}

const text = "name: p\nsteps: { n: { use: test/count, end: 7 } }\n"

/** A folder whose store has two runs of one pipeline: made once, copied for each test. */
const makeTemplate = async () => {
  const folder = makeFolder()
  folder.write("p.yaml", text)
  for (const end of [7, 14]) {
    const set = `steps.n.end=${end}`
    const ended = await folder.espalier(["run", "p.yaml", "--store", "store", "--set", set])
    assert.strictEqual(ended.code, 0, ended.error)
  }
  return folder
}
const template = makeTemplate()
afterAll(async () => (await template).remove())

const afterTwoRuns = (test: (place: Place) => Promise<void>) => async () => {
  const folder = makeFolder()
  try {
    cpSync((await template).at(), folder.at(), { recursive: true, preserveTimestamps: true })
    await test({
      ...folder,
      runs: () => readdirSync(folder.at("store/runs")).toSorted(),
      cache: (...args) => folder.espalier(["cache", ...args]),
    })
  } finally {
    folder.remove()
  }
}

describe.concurrent("espalier cache", () => {
  it(
    "ls says what there is, by run and by step",
    afterTwoRuns(async ({ cache, runs }) => {
      const { code, out } = await cache("ls", "--store", "store")
      assert.strictEqual(code, 0)
      for (const run of runs()) assert.match(out, new RegExp(`\\n${run} +p +done +1 +\\d+ B\\n`))
      assert.match(out, /\np +n +test\/count +2 +\d+ B\n/)
      assert.match(out, /store: 2 runs, 2 entries, 2 objects, \d+ B\n$/)
      const usage = JSON.parse((await cache("ls", "--store", "store", "--json")).out) as StoreUsage
      assert.deepStrictEqual([usage.runs.length, usage.entries], [2, 2])
    }),
  )

  it(
    "gc removes runs that are not to be kept, and what only they need",
    afterTwoRuns(async ({ cache, runs, espalier }) => {
      const [first, second] = runs()
      const spared = await cache("gc", "--store", "store", "--keep-runs", "1")
      assert.match(spared.out, /removed: 0 runs.*\nkept: 2 runs[^]*too young \(--grace\): 1 thing/)
      const all = ["gc", "--store", "store", "--grace", "0", "--keep-runs", "1"]
      const told = await cache(...all, "--dry-run")
      assert.match(
        told.out,
        new RegExp(`^would remove: 1 run, 1 entry, 1 object .*\\n {2}${first}\\n`),
      )
      assert.lengthOf(runs(), 2)
      const report = JSON.parse((await cache(...all, "--json")).out) as GarbageReport
      assert.deepStrictEqual(report.runs, { removed: 1, kept: 1, names: [first] })
      assert.isAbove(report.bytesFreed, 0)
      assert.deepStrictEqual(runs(), [second])
      const plan = await espalier(["plan", "p.yaml", "--store", "store"])
      assert.match(plan.out, / miss/)
    }),
  )

  it(
    "export and import bring runs to another store, where all of them is a hit",
    afterTwoRuns(async ({ at, cache, runs, espalier }) => {
      const [first, second] = runs()
      const file = ["--store", "store", "--out", "runs.tar"]
      const exported = await cache("export", first, second, ...file)
      assert.strictEqual(exported.code, 0, exported.error)
      assert.match(exported.out, /^2 runs, 2 entries, 2 objects \(.*\) → .*runs\.tar\n$/)
      const imported = await cache("import", "runs.tar", "--store", "other")
      assert.strictEqual(imported.out, `2 runs, 2 entries, 2 objects\n  ${first}\n  ${second}\n`)
      const run = await espalier(["run", "p.yaml", "--store", "other", "--json"])
      assert.match(run.out, /"status": "cached"/)
      assert.deepStrictEqual(
        readFileSync(at("other/runs", first, "manifest.json")),
        readFileSync(at("store/runs", first, "manifest.json")),
      )
    }),
  )

  it(
    "bad input is told with what to do, and ends with 2",
    afterTwoRuns(async ({ at, cache, runs, write }) => {
      const [first] = runs()
      write("text.tar", "hello\n".repeat(200))
      const export_ = ["export", "--store", "store", "--out"]
      const cases: ReadonlyArray<readonly [args: ReadonlyArray<string>, told: RegExp]> = [
        [[...export_, "x.tar", `${first.slice(0, -1)}?`], /did you mean "/],
        [[...export_, "text.tar", first], /text\.tar exists already/],
        [[...export_, "none/x.tar", first], /cannot write the archive none\/x\.tar/],
        [["gc", "--keep-runs", "-1"], /--keep-runs/],
        [["import", "text.tar", "--store", "store"], /text\.tar is not a sound archive of runs/],
        [["import", "absent.tar", "--store", "store"], /cannot read the archive absent\.tar/],
      ]
      for (const [args, told] of cases) {
        const { code, out, error } = await cache(...args)
        assert.deepStrictEqual([code, out], [2, ""], args.join(" "))
        assertFriendly(error)
        assert.match(error, told)
      }
      assert.isFalse(existsSync(at("x.tar")))
      assert.deepStrictEqual(readdirSync(at("store/temporary")), [])
      assert.deepStrictEqual(readdirSync(at("store/leases")), [])
    }),
  )
})
