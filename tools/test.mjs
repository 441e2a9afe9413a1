// `npm test`: sets everything up, then runs every check and prints what became of the tests.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { root, run, setUp, windows } from "./set-up.mjs"

const { env } = await setUp({ pnpm: true })
env.TURBO_TELEMETRY_DISABLED ??= "1"

// Said explicitly so that the task cache tells a run with the data folder from one without.
const data = join(root, "..", "shared", "data")
if (!env.ESPALIER_DATA && existsSync(data)) env.ESPALIER_DATA = data

// Said for the same reason: yesterday's random graphs answer nothing about today's.
env.ESPALIER_SEED ??= new Date().toISOString().slice(0, 10).replaceAll("-", "")

const options = [
  "--concurrency=2",
  "--continue",
  "--output-logs=new-only",
  ...process.argv.slice(2),
]

const turbo = (...args) =>
  run(join(root, "node_modules", ".bin", "turbo"), ["run", ...args, ...options], {
    cwd: root,
    env,
    shell: windows,
  })

const checks = [
  "lint",
  "format",
  "unused",
  "effects",
  "architecture",
  "typecheck",
  "test",
  "examples",
  "packed",
]

/** Adds up vitest's closing lines, which the task cache keeps beside each package. */
const countTests = () => {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const group of ["packages", "apps", "tools"])
    for (const name of readdirSync(join(root, group))) {
      const log = join(root, group, name, ".turbo", "turbo-test.log")
      if (!existsSync(log)) continue
      const line = stripVTControlCharacters(readFileSync(log, "utf8"))
        .split("\n")
        .findLast((text) => /^\s*(?:\S+:test: )?\s*Tests {2}/.test(text))
      for (const outcome of Object.keys(counts))
        counts[outcome] += Number(line?.match(new RegExp(`(\\d+) ${outcome}`))?.[1] ?? 0)
    }
  return counts
}

const built = await turbo("build")
const status = built === 0 ? await turbo(...checks) : built
if (built === 0) {
  const { passed, failed, skipped } = countTests()
  console.log(`tests: ${passed} passed, ${failed} failed, ${skipped} skipped`)
}
console.log(status === 0 ? "every check passed" : "some checks failed: their output is above")
process.exitCode = status
