import { assert, describe, it } from "@effect/vitest"
import { hasPostgres, startPostgres } from "@espalier/postgres"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"

const store = ["--store", "store"]

const pipeline = `name: counts
steps:
  one: { use: test/count, end: 7, milliseconds: 20 }
  two: { use: test/count, end: 14, text: $one }
  spoiled: { use: test/spoil }
`

/** All that a store holds, as one text. */
const everything = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n")

describe("espalier worker", () => {
  it("needs a database, and tells what is wrong with one", async () => {
    const place = makeFolder()
    try {
      const none = await place.espalier(["worker", ...store], { env: { ESPALIER_DATABASE: "" } })
      assert.strictEqual(none.code, 2)
      assertFriendly(none.error)
      place.write("p.yaml", pipeline)
      const database = "postgres://ada:geheimnis@127.0.0.1:1/nowhere"
      const run = ["run", "p.yaml", "--executor", "cluster", ...store, "--database", database]
      const away = await place.espalier(run)
      assert.strictEqual(away.code, 2)
      assertFriendly(away.error)
      assert.include(away.error, "postgres://ada@127.0.0.1:1/nowhere")
      assert.notInclude(away.error, "geheimnis")
    } finally {
      place.remove()
    }
  })

  it.skipIf(!hasPostgres())("does the steps of a run, and no password shows", async () => {
    const place = makeFolder()
    const postgres = await startPostgres()
    const env = { ESPALIER_DATABASE: postgres.url }
    try {
      place.write("p.yaml", pipeline)
      let begin = () => {}
      const ready = new Promise<void>((resolve) => (begin = resolve))
      let end = () => {}
      const worker = place.espalier(["worker", "--device", "wasm", ...store], {
        env,
        onError: (text, signal) => {
          end = () => signal("SIGTERM")
          if (text.includes("ready at 127.0.0.1:")) begin()
        },
      })
      await ready
      const where = ["--executor", "cluster", "--device", "wasm", ...store]
      const run = await place.espalier(["run", "p.yaml", "--events", ...where], { env })
      assert.strictEqual(run.code, 1)
      assert.include(run.error, "the milk is spoiled")
      assert.include(run.error, "hint: buy fresh milk")
      const statuses = [...run.out.matchAll(/"status":"(\w+)"/g)].map(([, status]) => status)
      assert.include(statuses, "done")
      const resumed = await place.espalier(["resume", "--json", ...store], { env })
      const { steps } = JSON.parse(resumed.out)
      assert.strictEqual(steps.two.status, "cached")
      assert.strictEqual(steps.spoiled.error.tag, "Spoiled")
      end()
      const { error } = await worker
      assert.match(error, /^one: begun\none: done in /m)
      assert.match(error, /^spoiled: failed after .*\nerror: the milk is spoiled\nhint: buy/m)
      assert.lengthOf([...error.matchAll(/^spoiled: begun/gm)], 2)
      const told = [run.out, run.error, resumed.out, resumed.error, error]
      for (const text of [...told, everything(place.at("store"))]) {
        assert.notInclude(text, "geheimnis")
      }
    } finally {
      postgres.remove()
      place.remove()
    }
  })
})
