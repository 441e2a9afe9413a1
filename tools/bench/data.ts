import { existsSync } from "node:fs"
import { join } from "node:path"

const workspace = join(import.meta.dirname, "../..")

/** The folder of real data: `ESPALIER_DATA`, else `../shared/data` beside the workspace. */
const dataFolder = process.env["ESPALIER_DATA"] ?? join(workspace, "../shared/data")

/** A file of the data folder, or `undefined` where it is absent. */
export const findData = (path: string): string | undefined => {
  const file = join(dataFolder, path)
  return existsSync(file) ? file : undefined
}
