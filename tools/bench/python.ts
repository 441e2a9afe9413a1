import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

/** Where a Python may be, first choice first. */
const candidates = (): ReadonlyArray<string> => {
  const folders = (process.env["PATH"] ?? "").split(delimiter)
  const onPath = folders.map((folder) => join(folder, "python3")).find(existsSync)
  const own = process.env["ESPALIER_PYTHON"]
  const all = [onPath, "/usr/bin/python3", own].filter((path) => path !== undefined)
  return [...new Set(all.filter(existsSync))]
}

/** A Python that can import PyTorch, or why there is none. */
export const findPython = (): { readonly python: string } | { readonly why: string } => {
  const tried = candidates()
  const python = tried.find((file) => spawnSync(file, ["-c", "import torch"]).status === 0)
  if (python !== undefined) return { python }
  const where = tried.length === 0 ? "there is no python3" : `not in ${tried.join(" nor in ")}`
  return { why: `no PyTorch: ${where}; ESPALIER_PYTHON may name another python` }
}
