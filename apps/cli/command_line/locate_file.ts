import { findDataFolder, locateInputFile } from "@espalier/pipeline"
import { Effect, type Option } from "effect"
import { dataFolderOptions } from "./application.ts"

/**
 * The path of a file that a flag names; `data:…` is in the data folder. The error names flag, file and
 * likely neighbours.
 */
export const locateFile = Effect.fnUntraced(function* (
  given: string,
  flag: string,
  data: Option.Option<string>,
) {
  return yield* locateInputFile({
    given,
    folder: process.cwd(),
    dataFolder: yield* findDataFolder(dataFolderOptions(data)),
    place: { file: `${flag} ${given}`, at: "" },
    relativeTo: "the current folder",
  })
})
