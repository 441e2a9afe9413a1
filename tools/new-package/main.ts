import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { packageFiles, whyNotAName } from "./template.ts"

// `pnpm run new-package NAME` makes packages/NAME, which passes every check as it is.

const root = dirname(dirname(import.meta.dirname))
const name = process.argv[2] ?? ""
const folder = join(root, "packages", name)

const refuse = (message: string): never => {
  console.error(`new-package: ${message}`)
  process.exit(2)
}

const why = whyNotAName(name)
if (why !== undefined) refuse(`${why}\nusage: pnpm run new-package NAME`)
if (existsSync(folder)) refuse(`packages/${name} exists already; choose another name or remove it`)

const manifest: { engines: { node: string } } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
)
const license = readFileSync(join(root, "LICENSE"), "utf8")
for (const [path, text] of Object.entries(packageFiles(name, manifest.engines.node, license))) {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}
const say = { cwd: root, stdio: "inherit" } as const
execFileSync("pnpm", ["install", "--no-frozen-lockfile"], say)
execFileSync("pnpm", ["exec", "oxfmt", `packages/${name}`], say)

console.log(`
packages/${name} is ready. Next:
  write what it is for        packages/${name}/package.json, README.md
  say what it may import      tools/check/rules.ts (as it stands: tensor, nn, models)
  try it                      pnpm --dir packages/${name} run test
  run every check             npm test`)
