import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const rootAbove = (folder: string): string | undefined => {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, "pnpm-workspace.yaml"))) return at
    if (dirname(at) === at) return undefined
  }
}

/** The workspace that this command is part of, where it runs from a clone. */
export const ownWorkspace = (): string | undefined =>
  rootAbove(dirname(fileURLToPath(import.meta.url)))

/**
 * The folder that `.espalier/` lies in: the workspace around the current folder, else the one that
 * this command is part of, else the current folder.
 */
export const workspaceRoot = (current: string): string =>
  rootAbove(current) ?? ownWorkspace() ?? current
