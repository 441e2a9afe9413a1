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

/** The output of every package's tests, which the task cache keeps beside each. */
const testLogs = () =>
  ["packages", "apps", "tools"]
    .flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`))
    .map((folder) => ({ folder, file: join(root, folder, ".turbo", "turbo-test.log") }))
    .filter(({ file }) => existsSync(file))
    .map(({ folder, file }) => ({
      folder,
      lines: stripVTControlCharacters(readFileSync(file, "utf8")).split("\n"),
    }))

/** Adds up vitest's closing lines. */
const countTests = (logs) => {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const { lines } of logs) {
    const line = lines.findLast((text) => /^\s*(?:\S+:test: )?\s*Tests {2}/.test(text))
    for (const outcome of Object.keys(counts))
      counts[outcome] += Number(line?.match(new RegExp(`(\\d+) ${outcome}`))?.[1] ?? 0)
  }
  return counts
}

/** Says again what failed: it may have gone by long ago among what went well. */
const repeatFailures = (logs) => {
  for (const { folder, lines } of logs) {
    const start = lines.findIndex((text) =>
      /⎯ Failed (?:Tests|Suites) \d+ ⎯|⎯ Unhandled/.test(text),
    )
    if (start >= 0) console.log([`\n${folder}:`, ...lines.slice(start)].join("\n"))
  }
}

const built = await turbo("build")
const status = built === 0 ? await turbo(...checks) : built
if (built === 0) {
  const logs = testLogs()
  repeatFailures(logs)
  const { passed, failed, skipped } = countTests(logs)
  console.log(`tests: ${passed} passed, ${failed} failed, ${skipped} skipped`)
}
console.log(status === 0 ? "every check passed" : "some checks failed: their output is above")
process.exitCode = status
