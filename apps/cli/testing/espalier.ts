import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("cli_main.ts", import.meta.url))

/** What a command printed and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

/** A temporary folder to run `espalier` in, with the test's steps and a store of its own. */
export const makeFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), "espalier-cli-"))
  const at = (...parts: ReadonlyArray<string>) => join(folder, ...parts)
  return {
    at,
    write: (name: string, text: string) => writeFileSync(at(name), text),
    remove: () => rmSync(folder, { recursive: true, force: true }),
    /** Runs a command; `onError` sees standard error as it grows and may send a signal. */
    espalier: (
      args: ReadonlyArray<string>,
      options: {
        readonly env?: Readonly<Record<string, string>>
        readonly onError?: (text: string, signal: (name: NodeJS.Signals) => void) => void
      } = {},
    ) =>
      new Promise<Ended>((resolve, reject) => {
        const { ESPALIER_DATA: _data, ESPALIER_DEBUG: _debug, ...inherited } = process.env
        const child = spawn(process.execPath, ["--conditions=@espalier/source", main, ...args], {
          cwd: folder,
          env: { ...inherited, ...options.env },
        })
        let out = ""
        let error = ""
        child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()))
        child.stderr.on("data", (chunk: Buffer) => {
          error += chunk.toString()
          options.onError?.(error, (name) => void child.kill(name))
        })
        child.on("error", reject)
        child.on("close", (code) => resolve({ code, out, error }))
      }),
  }
}
