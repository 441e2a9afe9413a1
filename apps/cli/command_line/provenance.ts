import type { JsonObject } from "@espalier/pipeline"
import { sha256 } from "@espalier/pipeline"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const lockfiles = [
  "pnpm-lock.yaml",
  "package-lock.json",
  "npm-shrinkwrap.json",
  "yarn.lock",
  "bun.lock",
  "bun.lockb",
]

/** A lockfile by its name and content. */
export type Lockfile = { readonly name: string; readonly sha256: string }

/** The nearest lockfile above a folder. */
export const findLockfile = (folder: string): Lockfile | undefined => {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const file = lockfiles.map((name) => join(at, name)).find((path) => existsSync(path))
    if (file !== undefined) return { name: basename(file), sha256: sha256(readFileSync(file)) }
    if (dirname(at) === at) return undefined
  }
}

/** Longer than git takes for any clone that a person waits for. */
const patience = 10_000

/**
 * Runs git in a folder and gives what it printed; none where it failed, took too long or is not
 * there. Nothing that a clone's own settings name is run, and nothing is locked.
 */
const git = (folder: string, args: ReadonlyArray<string>): Promise<Buffer | undefined> =>
  new Promise((done) => {
    const settings = ["-c", "core.fsmonitor=false", "-c", "core.quotePath=false"]
    // Variables of a git that started this process, such as GIT_DIR, are about another folder.
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"))
    const env = { ...Object.fromEntries(own), GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C" }
    execFile(
      "git",
      [...settings, ...args],
      { cwd: folder, env, encoding: "buffer", timeout: patience, maxBuffer: 1 << 28 },
      (error, out) => done(error === null ? out : undefined),
    )
  })

/** What a clone is at. */
export type Commit = {
  readonly commit: string
  /** Whether files differ from it; null where git could not tell. */
  readonly dirty: boolean | null
  /** Of the differences, where there are any. */
  readonly sha256: string | null
}

/**
 * The commit that the clone around a folder is at, and where it differs, a hash of the differences:
 * of what `git diff` says and of the names of files that git does not know. None where there is no
 * clone or no git.
 */
export const findCommit = async (folder: string): Promise<Commit | undefined> => {
  const commit = (await git(folder, ["rev-parse", "--verify", "HEAD"]))?.toString("utf8").trim()
  if (commit === undefined) return undefined
  const root = (await git(folder, ["rev-parse", "--show-toplevel"]))?.toString("utf8").trim()
  const [changes, strangers] = await Promise.all([
    git(root ?? folder, ["diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD"]),
    git(root ?? folder, ["ls-files", "--others", "--exclude-standard", "-z"]),
  ])
  if (changes === undefined || strangers === undefined) return { commit, dirty: null, sha256: null }
  if (changes.length === 0 && strangers.length === 0) return { commit, dirty: false, sha256: null }
  const hash = createHash("sha256").update(`${changes.length}\n`).update(changes).update(strangers)
  return { commit, dirty: true, sha256: hash.digest("hex") }
}

/** Keys of providers of language models and files. */
const providerKeys = [
  "ANTHROPIC_API_KEY",
  "AZURE_OPENAI_API_KEY",
  "GEMINI_API_KEY",
  "GOOGLE_API_KEY",
  "GROQ_API_KEY",
  "HF_TOKEN",
  "HUGGING_FACE_HUB_TOKEN",
  "MISTRAL_API_KEY",
  "OLLAMA_HOST",
  "OPENAI_API_KEY",
  "OPENAI_BASE_URL",
  "OPENROUTER_API_KEY",
]

/** The names, never the values, of the variables that may have been read. */
export const variableNames = (
  environment: Readonly<Record<string, string | undefined>>,
): ReadonlyArray<string> =>
  Object.keys(environment)
    .filter((name) => name.startsWith("ESPALIER_") || providerKeys.includes(name))
    .toSorted()

const program = dirname(fileURLToPath(import.meta.url))

/**
 * What a manifest says of where a run took place: Node, platform, names of environment variables,
 * and the lockfile and commit around the pipeline file, else around the program.
 */
export const provenance = (pipelineFile: string): Effect.Effect<JsonObject> =>
  Effect.promise(async () => {
    const folder = dirname(resolve(pipelineFile))
    const lockfile = findLockfile(folder) ?? findLockfile(program)
    const commit = (await findCommit(folder)) ?? (await findCommit(program))
    return {
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
      variables: variableNames(process.env),
      ...(lockfile === undefined ? {} : { lockfile }),
      ...(commit === undefined ? {} : { git: commit }),
    }
  })
