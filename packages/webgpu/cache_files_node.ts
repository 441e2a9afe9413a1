/** Small text files by name, kept between processes. */
export interface CacheFiles {
  /** The text of a file; `undefined` where there is none or it cannot be read. */
  readonly read: (name: string) => string | undefined
  /** Replaces a file wholly or not at all. Answers what went wrong. */
  readonly write: (name: string, text: string) => string | undefined
}

/** The files of a directory, which is made when something is written; `undefined` outside Node. */
export const openCacheFiles = (directory: string): CacheFiles | undefined => {
  const { process } = globalThis as { readonly process?: NodeJS.Process }
  if (process?.versions?.node === undefined) return undefined
  const fs = process.getBuiltinModule("node:fs")
  const path = process.getBuiltinModule("node:path")
  let written = 0
  return {
    read: (name) => {
      try {
        return fs.readFileSync(path.join(directory, name), "utf8")
      } catch {
        return undefined
      }
    },
    write: (name, text) => {
      const temporary = path.join(directory, `.${name}.${process.pid}.${written++}`)
      try {
        fs.mkdirSync(directory, { recursive: true })
        fs.writeFileSync(temporary, text)
        fs.renameSync(temporary, path.join(directory, name))
        return undefined
      } catch (cause) {
        try {
          fs.rmSync(temporary, { force: true })
        } catch {
          // It was never there: its directory could not be made.
        }
        return cause instanceof Error ? cause.message : String(cause)
      }
    },
  }
}
