import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The version of an installed package, whether or not it exports its manifest. */
export const packageVersion = (name: string): string => {
  let folder = dirname(fileURLToPath(import.meta.resolve(name)))
  while (folder !== dirname(folder)) {
    const file = join(folder, "package.json")
    const manifest = existsSync(file)
      ? (JSON.parse(readFileSync(file, "utf8")) as { name?: string; version?: string })
      : {}
    if (manifest.name === name) return manifest.version ?? "unknown"
    folder = dirname(folder)
  }
  return "unknown"
}
