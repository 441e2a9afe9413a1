import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** The folder of real data: `ESPALIER_DATA`, else `../shared/data` beside the workspace. */
export const dataFolder: string =
  process.env.ESPALIER_DATA ?? fileURLToPath(new URL("../../../../shared/data", import.meta.url))

/** Why the tests on real data cannot run here; `undefined` where they can. */
export const withoutData: string | undefined = existsSync(
  join(dataFolder, "language-models/stories260K.bin"),
)
  ? undefined
  : "no data folder: set ESPALIER_DATA or provide ../shared/data"
