import { execFileSync } from "node:child_process"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Where Debian has PostgreSQL's programs, the newest version first. */
const findPrograms = (): string | undefined => {
  const debian = "/usr/lib/postgresql"
  const versions = existsSync(debian) ? readdirSync(debian) : []
  return versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(debian, version, "bin"))
    .find((folder) => existsSync(join(folder, "initdb")))
}

const programs = findPrograms()

/** Whether there is a PostgreSQL to test with. Where it is required, its absence is an error. */
export const hasPostgres = (): boolean => {
  if (programs === undefined && process.env.ESPALIER_REQUIRE_POSTGRES === "1") {
    throw new Error("no PostgreSQL: tools/install-postgresql.sh installs it")
  }
  if (programs === undefined) {
    console.warn("SKIPPED: no PostgreSQL here; tools/install-postgresql.sh installs it")
  }
  return programs !== undefined
}

/** PostgreSQL refuses to run as root: who tests as root lets its own user do it. */
const owner = (): { readonly uid?: number; readonly gid?: number } => {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"]).toString())
  return { uid: id("-u"), gid: id("-g") }
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

/** A PostgreSQL of its own in a temporary folder, on loopback, for one test. */
export const startPostgres = async () => {
  if (programs === undefined) throw new Error("there is no PostgreSQL here")
  const user = owner()
  const folder = mkdtempSync(join(tmpdir(), "espalier-postgres-"))
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, "data")
  const port = await freePort()
  const run = (program: string, ...args: ReadonlyArray<string>) =>
    execFileSync(join(programs, program), args, { ...user, cwd: folder, stdio: "ignore" })
  run("initdb", "-D", data, "-U", "espalier", "-A", "trust", "--no-sync")
  const options = `-p ${port} -k ${folder} -c listen_addresses=127.0.0.1 -c fsync=off`
  const start = () =>
    run("pg_ctl", "-D", data, "-w", "-l", join(folder, "log"), "-o", options, "start")
  const stop = () => run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
  start()
  const url = `postgres://espalier:geheimnis@127.0.0.1:${port}/postgres`
  return {
    /** With a password that must not show anywhere. */
    url,
    /** Gives what a query prints, bare. */
    query: (sql: string) =>
      execFileSync(join(programs, "psql"), ["-At", "-c", sql, url]).toString().trim(),
    start,
    stop,
    remove: () => {
      try {
        stop()
      } catch {
        // It is stopped already.
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
