import { assert, describe, it } from "@effect/vitest"
import { hasCeph, startCeph } from "@espalier/ceph"
import { hasPostgres, startPostgres } from "@espalier/postgres"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"

const pipeline = `name: counts
steps:
  one: { use: test/count, end: 7, milliseconds: 20 }
  two: { use: test/count, end: 14, text: $one }
`

const nobody = {
  AWS_ACCESS_KEY_ID: "",
  AWS_SECRET_ACCESS_KEY: "",
  AWS_SESSION_TOKEN: "",
  AWS_ENDPOINT_URL_S3: "",
  AWS_ENDPOINT_URL: "",
}

/** All that a folder holds, as one text. */
const everything = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n")

const statusesOf = (out: string) =>
  Object.values<{ status: string }>(JSON.parse(out).steps).map(({ status }) => status)

describe("--remote", () => {
  it("tells of credentials that are missing, and of addresses that are none", async () => {
    const place = makeFolder()
    try {
      place.write("p.yaml", pipeline)
      const run = (remote: string) =>
        place.espalier(["run", "p.yaml", "--device", "wasm", "--remote", remote], { env: nobody })
      const none = await run("s3://bucket/prefix")
      assert.strictEqual(none.code, 2)
      assertFriendly(none.error)
      assert.include(none.error, "AWS_SECRET_ACCESS_KEY")
      const secret = await run("s3://ADA:geheimnis@bucket")
      assert.strictEqual(secret.code, 2)
      assertFriendly(secret.error)
      assert.notInclude(secret.error + everything(place.at()), "geheimnis")
    } finally {
      place.remove()
    }
  })

  it.skipIf(!hasCeph())("shares results, and no secret shows", async () => {
    const place = makeFolder()
    const ceph = await startCeph()
    const token = "geheimes-zeichen"
    const env = { ...nobody, ...ceph.environment }
    const remote = ["--remote", "s3://bucket/prefix"]
    const wasm = ["--device", "wasm"]
    try {
      await ceph.makeBucket("bucket")
      place.write("p.yaml", pipeline)
      const told = [
        await place.espalier(["run", "p.yaml", "--json", "--store", "a", ...wasm, ...remote], {
          env,
        }),
        await place.espalier(["plan", "p.yaml", "--json", "--store", "b", ...wasm, ...remote], {
          env,
        }),
        await place.espalier(["run", "p.yaml", "--json", "--store", "b", ...wasm], {
          env: { ...env, ESPALIER_REMOTE: "s3://bucket/prefix" },
        }),
        await place.espalier(["resume", "--json", "--store", "b"], { env }),
        await place.espalier(["doctor", "--store", "b", ...remote], { env }),
        await place.espalier(["cache", "gc", "--store", "b"], {
          env: { ...env, ESPALIER_REMOTE: "s3://bucket/prefix" },
        }),
      ] as const
      const [first, planned, second, resumed, doctor, collected] = told
      for (const { code, error } of told) assert.strictEqual(code, 0, error)
      assert.deepStrictEqual(statusesOf(first.out), ["done", "done"])
      assert.notInclude(planned.out, `"miss"`)
      assert.deepStrictEqual(statusesOf(second.out), ["cached", "cached"])
      assert.deepStrictEqual(statusesOf(resumed.out), ["cached", "cached"])
      assert.match(doctor.out, /remote +fine +s3:\/\/bucket\/prefix/)
      assert.include(collected.error, "nothing of s3://bucket/prefix was removed")

      const fail = async (name: string, changed: Readonly<Record<string, string>>) => {
        const run = ["run", "p.yaml", "--store", name, ...wasm, ...remote]
        const ended = await place.espalier(run, { env: { ...env, ...changed } })
        assert.strictEqual(ended.code, 2)
        assertFriendly(ended.error)
        return ended
      }
      const wrong = [
        await fail("c", { AWS_SECRET_ACCESS_KEY: "geheimnis-of-eve", AWS_SESSION_TOKEN: token }),
        await fail("d", { AWS_SECRET_ACCESS_KEY: "geheimnis-of-eve", ESPALIER_DEBUG: "1" }),
      ]
      assert.include(wrong[0].error, "refuses access")
      for (const text of [...told, ...wrong].flatMap(({ out, error }) => [out, error])) {
        assert.notMatch(text, /geheim/)
      }
      assert.notMatch(everything(place.at()), /geheim/)
    } finally {
      await ceph.remove()
      place.remove()
    }
  })

  it.skipIf(!hasCeph() || !hasPostgres())(
    "lets a worker with a folder of its own do a run's steps",
    async () => {
      const place = makeFolder()
      const ceph = await startCeph()
      const postgres = await startPostgres()
      const env = { ...nobody, ...ceph.environment, ESPALIER_DATABASE: postgres.url }
      const remote = ["--device", "wasm", "--remote", "s3://bucket"]
      try {
        await ceph.makeBucket("bucket")
        place.write("p.yaml", pipeline)
        let begin = () => {}
        const ready = new Promise<void>((resolve) => (begin = resolve))
        let end = () => {}
        const worker = place.espalier(["worker", "--store", "theirs", ...remote], {
          env,
          onError: (text, signal) => {
            end = () => signal("SIGTERM")
            if (text.includes("ready at 127.0.0.1:")) begin()
          },
        })
        await ready
        const cluster = ["--executor", "cluster", "--store", "mine", "--json"]
        const run = await place.espalier(["run", "p.yaml", ...cluster, ...remote], { env })
        end()
        const ended = await worker
        assert.strictEqual(run.code, 0, run.error + ended.error)
        assert.deepStrictEqual(statusesOf(run.out), ["done", "done"])
        for (const text of [run.out, run.error, ended.error, everything(place.at())]) {
          assert.notInclude(text, "geheimnis")
        }
      } finally {
        postgres.remove()
        await ceph.remove()
        place.remove()
      }
    },
  )
})
