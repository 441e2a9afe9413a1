// `pnpm run conformance`: the suite at length on every device of this machine, written to docs.
import * as Conformance from "@espalier/tensor/conformance"
import * as Wasm from "@espalier/wasm"
import * as WebGpu from "@espalier/webgpu"
import { Interpreter } from "@espalier/tensor"
import { Effect } from "effect"
import { renameSync, writeFileSync } from "node:fs"
import { availableParallelism, cpus } from "node:os"
import { fileURLToPath } from "node:url"
import type { ParseArgsOptionsConfig } from "node:util"
import { parseArgs } from "node:util"
import type { Measured } from "./measure.ts"
import { measure } from "./measure.ts"
import { report } from "./report.ts"

const usage = `pnpm run conformance [--count 10000] [--device NAME]… [--seed N] [--minutes 20] [--out FILE]

  --count    random graphs for each device
  --device   interpreter, wasm, webgpu; may be repeated; default wasm and webgpu
  --seed     another one than today's
  --minutes  the random graphs of one device end after so many minutes
  --out      default docs/conformance.md; - for standard output`

const options = {
  count: { type: "string", default: "10000" },
  device: { type: "string", multiple: true, default: ["wasm", "webgpu"] as string[] },
  seed: { type: "string", default: process.env["ESPALIER_SEED"] ?? String(Conformance.daySeed()) },
  minutes: { type: "string", default: "20" },
  out: {
    type: "string",
    default: fileURLToPath(new URL("../../docs/conformance.md", import.meta.url)),
  },
  help: { type: "boolean", default: false },
} satisfies ParseArgsOptionsConfig

const say = (text: string): void => void process.stderr.write(`${text}\n`)

const wholeNumber = (name: string, text: string): number => {
  if (/^\d+$/.test(text)) return Number(text)
  say(`--${name} takes a whole number, not "${text}"\n\n${usage}`)
  process.exit(2)
}

const read = () => {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    process.exit(2)
  }
}

const given = read()
if (given.help) {
  console.log(usage)
  process.exit(0)
}
const seed = wholeNumber("seed", given.seed)
const plan = {
  seed,
  count: wholeNumber("count", given.count),
  seconds: 60 * wholeNumber("minutes", given.minutes),
}

const on = (name: string) => {
  const measured = measure(name, plan, say)
  switch (name) {
    case "interpreter":
      return Effect.provide(measured, Interpreter.layer)
    case "wasm":
      return Effect.provide(measured, Wasm.layer({ poison: true }))
    case "webgpu":
      return Effect.provide(measured, WebGpu.layer({ poison: true }))
    default:
      say(`there is no device "${name}"\n\n${usage}`)
      return process.exit(2)
  }
}

const all: Array<Measured> = []
const missing: Array<string> = []
for (const name of given.device) {
  const absent = (error: Error) => Effect.sync(() => void missing.push(`${name}: ${error.message}`))
  const measured = await Effect.runPromise(
    Effect.catchTag(on(name), "DeviceUnavailable", (error) => absent(error)),
  )
  if (measured !== undefined) all.push(measured)
}

const page = report(all, {
  date: new Date().toISOString().slice(0, 10),
  seed,
  machine: `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} cores, Node ${process.versions.node}`,
  missing,
})
if (given.out === "-") console.log(page)
else {
  writeFileSync(`${given.out}.new`, page)
  renameSync(`${given.out}.new`, given.out)
  say(`written to ${given.out}`)
}
const failures = all.reduce((sum, { problems }) => sum + problems.length, 0)
if (failures > 0) say(`${failures} failures: they are at the end of the page`)
// Dawn keeps the process alive.
process.exit(failures > 0 ? 1 : 0)
