import { execFile } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { firstProgram, lacksAdapter, superfluous, workspaceLeftovers } from "./packed.ts"
import type { Problem } from "./problem.ts"
import { report } from "./problem.ts"
import type { Manifest, WorkspacePackage } from "./repository.ts"
import { readRepository, workspaceRoot } from "./repository.ts"

// Packs every public package, installs the tarballs with npm into an empty folder as a user would,
// and there runs and type-checks the first block of each README.

const require = createRequire(import.meta.url)
const packageFolder = (name: string) => dirname(require.resolve(`${name}/package.json`))
const tsc = join(packageFolder("typescript"), "bin/tsc")
const attw = join(packageFolder("@arethetypeswrong/cli"), "dist/index.js")

const repository = readRepository(workspaceRoot)
const published = repository.packages.filter(({ manifest }) => !manifest.private)
const place = mkdtempSync(join(tmpdir(), "espalier-packed-"))
const app = join(place, "app")
const problems: Array<Problem> = []

const complain = (file: string, message: string, line = 1) => problems.push({ file, line, message })

interface Outcome {
  readonly ok: boolean
  readonly output: string
}

/** Runs a command with the environment of a user: no source condition, nothing of this workspace. */
const run = (command: string, args: ReadonlyArray<string>, cwd: string): Promise<Outcome> =>
  new Promise((resolve) => {
    const inherited = Object.entries(process.env).filter(
      ([name]) =>
        !/^(?:NODE_OPTIONS|NODE_PATH|INIT_CWD|PNPM_\w+|npm_(?:package|lifecycle)_\w+)$/.test(name),
    )
    const options = {
      cwd,
      env: Object.fromEntries(inherited),
      timeout: 300_000,
      maxBuffer: 1 << 26,
    }
    execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ ok: error === null, output: `${stdout}${stderr}`.trim() })
    })
  })

/** Applies `f` to every package, two at a time. */
const forEach = async (f: (each: WorkspacePackage) => Promise<void>) => {
  const waiting = [...published]
  const worker = async (): Promise<void> => {
    const next = waiting.shift()
    if (next === undefined) return
    await f(next)
    return worker()
  }
  await Promise.all([worker(), worker()])
}

const tarballOf = ({ manifest }: WorkspacePackage) =>
  join(place, `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`)

const pack = async (each: WorkspacePackage) => {
  const { folder } = each
  const { ok, output } = await run(
    "pnpm",
    ["pack", "--pack-destination", place],
    join(workspaceRoot, folder),
  )
  if (!ok || !existsSync(tarballOf(each)))
    complain(`${folder}/package.json`, `cannot be packed: ${output}`)
}

const lint = async (each: WorkspacePackage) => {
  const file = `${each.folder}/package.json`
  const tarball = tarballOf(each)
  if (!existsSync(tarball)) return
  const data = readFileSync(tarball)
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(data).buffer } })
  for (const message of messages) {
    const text = pkg && formatMessage(message, pkg, { color: false })
    if (message.type !== "suggestion" && text) complain(file, `publint: ${text}`)
  }
  const { ok, output } = await run(
    process.execPath,
    [attw, tarball, "--profile", "esm-only", "--format", "ascii", "--no-color", "--no-emoji"],
    place,
  )
  if (!ok) complain(file, `the types do not resolve (attw):\n${output}`)
}

const install = async (): Promise<boolean> => {
  mkdirSync(app)
  const effect = JSON.parse(
    readFileSync(join(packageFolder("effect"), "package.json"), "utf8"),
  ) as Manifest
  const tarballs = published.filter((each) => existsSync(tarballOf(each)))
  const dependencies = Object.fromEntries([
    ["effect", effect.version],
    ...tarballs.map((each) => [each.manifest.name, `file:${tarballOf(each)}`]),
  ])
  writeFileSync(
    join(app, "package.json"),
    JSON.stringify({ name: "app", private: true, type: "module", dependencies }),
  )
  const { ok, output } = await run(
    "npm",
    ["install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"],
    app,
  )
  if (!ok) complain("package.json", `npm cannot install the packed packages: ${output}`)
  return ok
}

const filesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))

const checkInstalled = () => {
  const copies = readdirSync(app, { recursive: true, encoding: "utf8" }).filter((path) =>
    /(?:^|[\\/])node_modules[\\/]effect[\\/]package\.json$/.test(path),
  )
  if (copies.length !== 1)
    complain("package.json", `a user gets ${copies.length} copies of effect: ${copies.join(", ")}`)
  for (const { folder, manifest } of published) {
    const installed = join(app, "node_modules", manifest.name)
    if (!existsSync(installed)) continue
    const packed = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as Manifest
    for (const message of workspaceLeftovers(packed))
      complain(`${folder}/package.json`, `as packed: ${message}`)
    const files = filesIn(installed)
    for (const file of superfluous(files)) complain(`${folder}/package.json`, `packs ${file}`)
    for (const name of ["README.md", "LICENSE", "dist/mod.js", "dist/mod.d.ts"])
      if (!files.includes(name)) complain(`${folder}/package.json`, `does not pack ${name}`)
  }
}

const programs = new Map<string, { readonly readme: string; readonly line: number }>()

const runReadme = async ({ name, folder, manifest }: WorkspacePackage) => {
  const readme = `${folder}/README.md`
  // A package that is started, rather than imported, shows a command.
  for (const command of Object.keys(manifest.bin ?? {})) {
    const { ok, output } = await run(join(app, "node_modules", ".bin", command), ["--version"], app)
    if (!ok) complain(`${folder}/package.json`, `\`${command} --version\` fails: ${output}`)
  }
  if (!repository.has(readme)) return
  const block = firstProgram(repository.read(readme))
  if (block === undefined) {
    if (manifest.bin === undefined) complain(readme, "its first block is no ```ts or ```js program")
    return
  }
  const program = `${name}.${block.language.startsWith("t") ? "ts" : "js"}`
  writeFileSync(join(app, program), block.code)
  programs.set(program, { readme, line: block.line })
  const { ok, output } = await run(process.execPath, [program], app)
  if (!ok && lacksAdapter(output)) console.log(`${readme}: its first block not run, no GPU here`)
  else if (!ok) complain(readme, `its first block does not run:\n${output}`, block.line)
}

const checkTypes = async () => {
  const configuration = {
    compilerOptions: {
      target: "es2024",
      module: "nodenext",
      strict: true,
      noEmit: true,
      allowJs: true,
      checkJs: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      typeRoots: [dirname(packageFolder("@types/node"))],
      types: ["node"],
    },
    files: [...programs.keys()],
  }
  if (configuration.files.length === 0) return
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify(configuration))
  const { ok, output } = await run(process.execPath, [tsc, "-p", app, "--pretty", "false"], app)
  if (ok) return
  for (const line of output.split("\n")) {
    const found = /^(\S+)\((\d+),\d+\): error (.*)$/.exec(line)
    const program = found && programs.get(found[1])
    if (program)
      complain(
        program.readme,
        `its first block does not type-check: ${found[3]}`,
        program.line + Number(found[2]) - 1,
      )
    else if (found) complain("package.json", `the packed types are wrong: ${line}`)
  }
}

try {
  await forEach(pack)
  await forEach(lint)
  if (await install()) {
    checkInstalled()
    await forEach(runReadme)
    await checkTypes()
  }
} finally {
  rmSync(place, { recursive: true, force: true })
}
report(`${published.length} packed packages`, problems)
