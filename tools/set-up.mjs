// Makes a fresh clone ready on a machine that has only Node 20 or newer and npm. Plain JavaScript
// without dependencies: this is what runs before anything is installed.
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { constants } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Windows finds npm and pnpm, which are scripts there, through its shell only. */
export const windows = process.platform === "win32"

const stampFile = join(root, "node_modules", ".espalier", "set-up.json")
const read = (...path) => readFileSync(join(root, ...path), "utf8")
const pinnedNode = read(".node-version").trim()
const pinnedPnpm = JSON.parse(read("package.json")).packageManager

/** Standard output belongs to the command that is run: whatever prepares it speaks here. */
const say = (text) => process.stderr.write(`espalier: ${text}\n`)

/** Node runs the TypeScript sources as they are from 22.19 and 24 on; 23 was never a long-term version. */
const runsSources = (version) => {
  const [major, minor] = version.split(".").map(Number)
  return major > 23 || (major === 22 && minor >= 19)
}

const readStamp = () => {
  try {
    return JSON.parse(readFileSync(stampFile, "utf8"))
  } catch {
    return {}
  }
}

const writeStamp = (stamp) => {
  mkdirSync(dirname(stampFile), { recursive: true })
  const temporary = `${stampFile}.${process.pid}`
  writeFileSync(temporary, `${JSON.stringify(stamp, undefined, 2)}\n`)
  renameSync(temporary, stampFile)
}

const hashOfLockfile = () => createHash("sha256").update(read("pnpm-lock.yaml")).digest("hex")

/**
 * Runs a command to its end, hands signals on to it and resolves with the exit status a shell
 * would give. Both the terminal and npm send an interrupt to the whole family, so one Ctrl-C may
 * reach the command several times.
 */
export const run = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", ...options })
    const forward = (signal) => child.kill(signal)
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"]
    for (const signal of signals) process.on(signal, forward)
    const settle = (finish) => (value, signal) => {
      for (const name of signals) process.off(name, forward)
      finish(signal ? 128 + constants.signals[signal] : value)
    }
    child.on("error", settle(reject))
    child.on("exit", settle(resolve))
  })

const capture = (command, args) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
      shell: windows && command === "npm",
    })
    let output = ""
    child.stdout.on("data", (chunk) => (output += chunk))
    child.on("error", reject)
    child.on("close", (status) => {
      if (status === 0) resolve(output)
      else reject(new Error(`${command} ended with status ${status}`))
    })
  })

/** Node and pnpm of the pinned versions, brought along by npm's own cache. */
const fetchTools = async () => {
  say(`fetching Node ${pinnedNode} and ${pinnedPnpm} through npm (once)`)
  const npm = process.env.npm_execpath ?? ""
  const [command, ...before] = npm.endsWith("npm-cli.js") ? [process.execPath, npm] : ["npm"]
  // No quotes or blanks in the script: it also has to survive the command line of Windows.
  const script = "process.stdout.write(JSON.stringify([process.execPath,process.env.PATH]))"
  const output = await capture(command, [
    ...before,
    "exec",
    "--yes",
    `--package=node@${pinnedNode}`,
    `--package=${pinnedPnpm}`,
    "--",
    "node",
    "--eval",
    script,
  ])
  const [node, path] = JSON.parse(output)
  const bin = path.split(delimiter).find((folder) => existsSync(join(folder, "pnpm")))
  if (bin === undefined) throw new Error(`npm did not provide ${pinnedPnpm}`)
  return { node, bin }
}

const complete = (tools) =>
  tools !== undefined && existsSync(tools.node) && existsSync(join(tools.bin, "pnpm"))

/**
 * Gives a Node that runs the sources and the environment in which to run it, after installing the
 * dependencies where the lockfile has changed since the last time.
 *
 * `pnpm: true` asks for pnpm on the path as well.
 */
export const setUp = async ({ pnpm = false } = {}) => {
  const stamp = readStamp()
  const lockfile = hashOfLockfile()
  const installed = stamp.lockfile === lockfile && existsSync(join(root, "node_modules", ".pnpm"))
  const here = runsSources(process.versions.node) ? process.execPath : undefined
  let tools =
    complete(stamp.tools) && stamp.pins === `${pinnedNode} ${pinnedPnpm}` ? stamp.tools : undefined

  if (!installed || pnpm || here === undefined) tools ??= await fetchTools()
  const node = here ?? tools.node
  const path = [dirname(node), ...(tools ? [tools.bin] : []), process.env.PATH].join(delimiter)
  const env = { ...process.env, PATH: path }

  if (!installed) {
    say("installing dependencies (half a minute the first time)")
    const status = await run(
      "pnpm",
      ["install", "--frozen-lockfile", "--config.confirm-modules-purge=false"],
      { cwd: root, env, stdio: ["ignore", process.stderr, process.stderr], shell: windows },
    )
    if (status !== 0) {
      say("the dependencies could not be installed; the installer's words are above")
      process.exit(status)
    }
  }
  if (!installed || (tools && tools !== stamp.tools))
    writeStamp({ lockfile, pins: `${pinnedNode} ${pinnedPnpm}`, tools: tools ?? stamp.tools })
  return { node, env }
}
