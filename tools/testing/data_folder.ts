import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const workspace = join(dirname(fileURLToPath(import.meta.url)), "../..")

/** The folder of real data: `ESPALIER_DATA`, else `../shared/data` beside the workspace. */
export const dataFolder: string = process.env["ESPALIER_DATA"] ?? join(workspace, "../shared/data")

/** True where the tests that need real data can run. */
export const hasData: boolean = existsSync(join(dataFolder, "language-models/stories260K.bin"))

/** Why tests that need real data cannot run here; `undefined` where they can. */
export const withoutData: string | undefined = hasData
  ? undefined
  : "no data folder: set ESPALIER_DATA or provide ../shared/data"

/** Appended to the name of a test that needs data, so that a skip explains itself. */
export const needsData: string = withoutData === undefined ? "" : ` (skipped: ${withoutData})`

/** Reads a file of the data folder. */
export const readData = (path: string): Uint8Array => readFileSync(join(dataFolder, path))

/** The documents of a JSON-lines file with a `text` field. */
export const readDocuments = (path: string): ReadonlyArray<string> =>
  readFileSync(join(dataFolder, path), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const row: { readonly text: string } = JSON.parse(line)
      return row.text
    })
