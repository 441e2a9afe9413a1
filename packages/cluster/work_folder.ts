import { isProcessRunning } from "@espalier/pipeline"
import { Effect } from "effect"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const remove = (folder: string) => rmSync(folder, { recursive: true, force: true })

/** Removes the folders of workers that were killed. */
const sweep = () => {
  for (const name of readdirSync(tmpdir())) {
    const [, id] = /^espalier-worker-(\d+)-/.exec(name) ?? []
    if (id === undefined || isProcessRunning(Number(id))) continue
    try {
      remove(join(tmpdir(), name))
    } catch {
      // Another user's: theirs to remove.
    }
  }
}

/** A temporary folder for the files that steps read, gone when the worker is. */
export const makeWorkFolder = Effect.acquireRelease(
  Effect.sync(() => {
    sweep()
    return mkdtempSync(join(tmpdir(), `espalier-worker-${process.pid}-`))
  }),
  (folder) => Effect.sync(() => remove(folder)),
)
