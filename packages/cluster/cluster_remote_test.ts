import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { type Ceph, hasCeph, startCeph } from "@espalier/ceph"
import { hasPostgres } from "@espalier/postgres"
import { makeCluster, type TestWorker, type Told } from "./testing/cluster.ts"

const remote = "s3://bucket/cluster"

describe.skipIf(!hasPostgres() || !hasCeph())("a cluster whose workers share a remote", () => {
  let cluster: Awaited<ReturnType<typeof makeCluster>>
  let ceph: Ceph
  let workers: ReadonlyArray<TestWorker>

  beforeAll(async () => {
    ceph = await startCeph()
    await ceph.makeBucket("bucket")
    for (const [name, value] of Object.entries(ceph.environment)) vi.stubEnv(name, value)
    cluster = await makeCluster()
    workers = await Promise.all(
      ["one", "two"].map((store) => cluster.startWorker({ store, remote })),
    )
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    await cluster.remove()
    await ceph.remove()
  })

  const takes =
    (id: string) =>
    ({ event }: Told) =>
      event._tag === "StepTaken" && event.id === id

  it("does a run whose folder is another one, and gives the same bytes", async () => {
    cluster.write("input/a.txt", "from a file")
    cluster.write("input/deep/b.txt", "from a folder")
    const text = `name: remote
steps:
  file: { use: test/read, path: input/a.txt }
  folder: { use: test/read, path: input/deep }
  first: { use: test/work, text: x, before: $file }
  second: { use: test/work, text: y, before: $first }
  third: { use: test/work, text: z, before: $folder }
`
    const record = await cluster.run(text, { where: "cluster", store: "run", remote })
    for (const [id, { status }] of Object.entries(record.steps)) {
      assert.strictEqual(status, "done", `${id}: ${JSON.stringify(record.steps[id].error)}`)
    }
    await cluster.run(text, { where: "here", store: "local" })
    const [there, local] = ["run", "local"].map((store) => cluster.stored(store, "objects"))
    for (const [file, content] of Object.entries(local)) {
      assert.strictEqual(there[file], content)
    }
    const elsewhere = await cluster.run(text, { where: "here", store: "elsewhere", remote })
    assert.isTrue(Object.values(elsewhere.steps).every(({ status }) => status === "cached"))
    const anew = await cluster.run(text, { where: "cluster", store: "run", remote, from: "third" })
    assert.strictEqual(anew.steps.third.status, "done")
    assert.lengthOf(
      cluster.begun().filter(({ id }) => id === "third"),
      2,
    )
  })

  it("a worker is killed, and another one goes on from its checkpoint", async () => {
    const text = `name: killed
steps:
  before: { use: test/work, text: w }
  counted: { use: test/count, end: 12, gate: halfway, before: $before }
`
    const running = cluster.run(text, { where: "cluster", store: "run", remote })
    const worker = await Promise.race(
      workers.map((each) => each.until(takes("counted")).then(() => each)),
    )
    await cluster.untilBegun("counted-halfway")
    await worker.kill()
    cluster.open("halfway")
    const record = await running
    assert.strictEqual(record.steps.counted.status, "done")
    assert.strictEqual(record.steps.counted.metrics.first, 6)
    const told = JSON.stringify([record, workers.map((each) => [each.told, each.errors()])])
    assert.notInclude(told, "geheimnis")
  })

  it("refuses a run with another remote", async () => {
    await ceph.makeBucket("another")
    const text = `name: another\nsteps:\n  one: { use: test/work, text: another }\n`
    const away = { where: "cluster", store: "away", remote: "s3://another" } as const
    const record = await cluster.run(text, away)
    assert.strictEqual(record.steps.one.error?.tag, "StoreNotShared")
    assert.include(record.steps.one.error?.hint, "--remote")
  })
})
