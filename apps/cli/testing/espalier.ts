import { assert } from "@effect/vitest"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const mains = {
  /** The steps made for these tests: quick to start. */
  test: fileURLToPath(new URL("cli_main.ts", import.meta.url)),
  /** The command as it is. */
  real: fileURLToPath(new URL("../main.ts", import.meta.url)),
}

/** What a command printed and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

/** No stack trace, and each error with what to do. */
export const assertFriendly = (error: string): void => {
  assert.notMatch(error, /^\s+at .*[:(]/m)
  assert.match(error, /^error: /m)
  assert.match(error, /^hint: \S/m)
}

/** A temporary folder to run `espalier` in, with a store of its own. */
export const makeFolder = (main: keyof typeof mains = "test") => {
  const folder = mkdtempSync(join(tmpdir(), "espalier-cli-"))
  const at = (...parts: ReadonlyArray<string>) => join(folder, ...parts)
  // A workspace of its own: without `--store` runs are kept here, and not among those of the clone.
  writeFileSync(at("pnpm-workspace.yaml"), "packages: []\n")
  return {
    at,
    write: (name: string, content: string | Uint8Array) => writeFileSync(at(name), content),
    remove: () => rmSync(folder, { recursive: true, force: true }),
    /** Runs a command; `onError` sees standard error as it grows and may send a signal. */
    espalier: (
      args: ReadonlyArray<string>,
      options: {
        readonly env?: Readonly<Record<string, string>>
        readonly onError?: (text: string, signal: (name: NodeJS.Signals) => void) => void
        /** Looked at every few milliseconds: the process is killed (SIGKILL) when it is true. */
        readonly killWhen?: () => boolean
      } = {},
    ) =>
      new Promise<Ended>((resolve, reject) => {
        const { ESPALIER_DATA: _data, ESPALIER_DEBUG: _debug, ...inherited } = process.env
        const child = spawn(
          process.execPath,
          ["--conditions=@espalier/source", mains[main], ...args],
          {
            cwd: folder,
            env: { ...inherited, ...options.env },
          },
        )
        let out = ""
        let error = ""
        child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()))
        child.stderr.on("data", (chunk: Buffer) => {
          error += chunk.toString()
          options.onError?.(error, (name) => void child.kill(name))
        })
        const timer = setInterval(() => {
          if (options.killWhen?.() === true) child.kill("SIGKILL")
        }, 5)
        child.on("close", () => clearInterval(timer))
        child.on("error", reject)
        child.on("close", (code) => resolve({ code, out, error }))
      }),
  }
}
