import { AwsClient } from "aws4fetch"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

const isThere = (program: string) => {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

/** Whether there is a Ceph to test with. Where it is required, its absence is an error. */
export const hasCeph = (): boolean => {
  const found = ["ceph-mon", "ceph-osd", "radosgw"].every(isThere)
  if (!found && process.env.ESPALIER_REQUIRE_CEPH === "1") {
    throw new Error("no Ceph: tools/install-ceph.sh installs it")
  }
  if (!found) console.warn("SKIPPED: no Ceph here; tools/install-ceph.sh installs it")
  return found
}

const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() =>
        resolve(typeof address === "object" && address !== null ? address.port : 0),
      )
    })
  })

const cluster = "00000000-0000-4000-8000-000000000001"
const device = "00000000-0000-4000-8000-000000000002"

/** One of everything, nobody to be protected from, and no waiting for others who might agree. */
const settings = (folder: string, monitor: string, gateway: string) => `[global]
fsid = ${cluster}
mon_host = ${monitor}
public_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
ms_client_mode = crc
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 10000
mon_client_hunt_interval = 0.5
osd_crush_chooseleaf_type = 0
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
run_dir = ${folder}
admin_socket =
pid_file =
log_file = ${folder}/$name.log
[mon]
mon_data = ${folder}/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 2
mon_cluster_log_file = ${folder}/cluster.log
[osd]
osd_data = ${folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 1073741824
[client.rgw]
rgw_data = ${folder}/rgw
rgw_frontends = beast endpoint=${gateway}
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
rgw_run_sync_thread = false
rgw_thread_pool_size = 32
`

/** With a secret that must not show anywhere. */
const user = { accessKeyId: "ADA", secretAccessKey: "geheimnis-of-ada" }

/** A Ceph of its own in a temporary folder, on loopback, for one test. */
export const startCeph = async () => {
  const folder = mkdtempSync(join(tmpdir(), "espalier-ceph-"))
  const gateway = `127.0.0.1:${await freePort()}`
  const endpoint = `http://${gateway}`
  const monitor = `v2:127.0.0.1:${await freePort()}`
  const configuration = join(folder, "ceph.conf")
  writeFileSync(configuration, settings(folder, monitor, gateway))
  for (const name of ["mon", "osd", "rgw"]) mkdirSync(join(folder, name))

  const run = (program: string, ...args: ReadonlyArray<string>) =>
    execFileSync(program, ["-c", configuration, ...args], { cwd: folder, stdio: "ignore" })
  const daemons = new Map<string, ChildProcess>()
  // A test that is ended leaves none behind.
  process.once("exit", () => daemons.forEach((daemon) => daemon.kill("SIGKILL")))
  const start = (program: string, ...args: ReadonlyArray<string>) => {
    const all = ["-c", configuration, "-f", ...args]
    daemons.set(program, spawn(program, all, { cwd: folder, stdio: "ignore" }))
  }
  const stop = async (program: string) => {
    const daemon = daemons.get(program)
    daemons.delete(program)
    if (daemon === undefined || daemon.exitCode !== null) return
    const gone = new Promise((resolve) => daemon.once("exit", resolve))
    daemon.kill("SIGKILL")
    await gone
  }

  const startGateway = async () => {
    start("radosgw", "-n", "client.rgw")
    for (let look = 0; look < 300; look++) {
      const answer = await fetch(endpoint).catch(() => undefined)
      if (answer?.ok) return
      await sleep(100)
    }
    throw new Error(`Ceph's gateway does not answer; see ${folder}`)
  }

  const map = join(folder, "monmap")
  run("monmaptool", "--create", "--fsid", cluster, "--addv", "a", `[${monitor}]`, map)
  run("ceph-mon", "-i", "a", "--mkfs", "--monmap", map)
  start("ceph-mon", "-i", "a")
  run("ceph", "osd", "new", device)
  run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", device)
  start("ceph-osd", "-i", "0")
  run("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=here")
  const { accessKeyId, secretAccessKey } = user
  const keys = ["--access-key", accessKeyId, "--secret-key", secretAccessKey]
  run(
    "radosgw-admin",
    "-n",
    "client.rgw",
    "user",
    "create",
    "--uid=ada",
    "--display-name=Ada",
    ...keys,
  )
  await startGateway()

  const client = new AwsClient({ ...user, service: "s3", region: "us-east-1" })
  /** Asks for something as its user, past all that is tested. */
  const ask = (path: string, init?: RequestInit) => client.fetch(`${endpoint}/${path}`, init)

  return {
    endpoint,
    ...user,
    ask,
    makeBucket: async (name: string) => {
      const answer = await ask(name, { method: "PUT" })
      if (!answer.ok) throw new Error(`no bucket ${name}: ${await answer.text()}`)
    },
    /** The variables that lead to it. */
    environment: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: "us-east-1",
      AWS_ENDPOINT_URL_S3: endpoint,
    },
    /** Takes the gateway away; what it keeps stays. */
    stop: () => stop("radosgw"),
    start: startGateway,
    remove: async () => {
      await Promise.all([...daemons.keys()].map(stop))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** See {@link startCeph}. */
export type Ceph = Awaited<ReturnType<typeof startCeph>>
