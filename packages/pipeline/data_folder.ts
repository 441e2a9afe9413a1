import { Effect, FileSystem, Option, Path } from "effect"

/** Where the data folder may be, in the order it is looked for. */
export interface DataFolderOptions {
  /** `--data DIR`. */
  readonly flag?: string | undefined
  /** The value of `ESPALIER_DATA`. */
  readonly environment?: string | undefined
  /** The workspace root: the default is `../shared/data` beside it. */
  readonly workspace?: string | undefined
}

/** The data folder, or what was looked for in vain, one phrase each. */
export interface DataFolder {
  readonly path: Option.Option<string>
  readonly lookedFor: ReadonlyArray<string>
}

/**
 * Finds the folder that `data:` stands for: `--data DIR`, else `ESPALIER_DATA`, else
 * `../shared/data` beside the workspace. One that was asked for and is not there is not replaced by
 * the next.
 */
export const findDataFolder = Effect.fnUntraced(function* (options: DataFolderOptions) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const candidates = [
    { name: "--data", value: options.flag },
    { name: "ESPALIER_DATA", value: options.environment === "" ? undefined : options.environment },
    {
      name: "the default beside the workspace",
      value: options.workspace && path.join(options.workspace, "..", "shared", "data"),
    },
  ]
  const lookedFor: Array<string> = []
  for (const { name, value } of candidates) {
    if (value === undefined) {
      lookedFor.push(`${name} (not given)`)
      continue
    }
    const folder = path.resolve(value)
    const info = yield* Effect.option(fileSystem.stat(folder))
    if (Option.isSome(info) && info.value.type === "Directory") {
      return { path: Option.some(folder), lookedFor } satisfies DataFolder
    }
    lookedFor.push(`${name} (${folder} is not a folder)`)
    if (name !== "the default beside the workspace") {
      const fallback = candidates[2].value
      if (name === "--data") lookedFor.push("ESPALIER_DATA (not tried: --data is given)")
      lookedFor.push(
        `the default ${fallback === undefined ? "beside the workspace" : fallback} (not tried)`,
      )
      break
    }
  }
  return { path: Option.none(), lookedFor } satisfies DataFolder
})
