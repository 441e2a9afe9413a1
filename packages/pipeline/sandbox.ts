import { Effect, FileSystem, Path } from "effect"

/** The folders that the files of a pipeline must lie in; absolute, links are followed. */
export type Sandbox = ReadonlyArray<string>

/** Where a path leads in the end; that of its nearest folder that is there, where it is not. */
const realPath = Effect.fnUntraced(function* (absolute: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const missing: Array<string> = []
  for (let at = absolute; ; at = path.dirname(at)) {
    const real = yield* Effect.option(fileSystem.realPath(at))
    if (real._tag === "Some") return path.join(real.value, ...missing)
    if (path.dirname(at) === at) return absolute
    missing.unshift(path.basename(at))
  }
})

/** The path itself and, of a folder, all that is in it. */
const withContents = Effect.fnUntraced(function* (absolute: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const inside = yield* Effect.orElseSucceed(
    fileSystem.readDirectory(absolute, { recursive: true }),
    () => [],
  )
  return [absolute, ...inside.map((name) => path.join(absolute, name))]
})

/** The first path that leads out of the sandbox: the one given, or one in that folder. */
export const leadsOutside = Effect.fnUntraced(function* (absolute: string, sandbox: Sandbox) {
  const path = yield* Path.Path
  const roots = yield* Effect.forEach(sandbox, (root) => realPath(path.resolve(root)))
  const isInside = (real: string): boolean =>
    roots.some((root) => {
      const relative = path.relative(root, real)
      return relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative))
    })
  // What is outside is not looked into.
  if (!isInside(yield* realPath(absolute))) return absolute
  for (const each of yield* withContents(absolute)) {
    if (!isInside(yield* realPath(each))) return each
  }
  return undefined
})
