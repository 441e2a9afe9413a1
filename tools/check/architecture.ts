import { isBuiltin } from "node:module"
import { matchesGlob, posix } from "node:path"
import { checkManifest } from "./manifest.ts"
import type { Problem } from "./problem.ts"
import { badStart } from "./readme.ts"
import type { Repository, WorkspacePackage } from "./repository.ts"
import {
  arrows,
  devices,
  everywhere,
  forbiddenText,
  ordinary,
  requiredFiles,
  scope,
  seesEverything,
  seesNode,
  testFiles,
} from "./rules.ts"
import type { Import } from "./source_file.ts"
import { importsOf, lineAt } from "./source_file.ts"

const matches = (path: string, globs: ReadonlyArray<string>) =>
  globs.some((glob) => matchesGlob(path, glob))

/** The package that a specifier names: `@scope/name/inner` is `@scope/name`. */
export const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const mayImport = (from: WorkspacePackage, file: string, to: string): boolean => {
  if (matches(file, seesEverything)) return true
  const allowed = arrows[from.name] ?? ordinary
  if (allowed.includes(to) || everywhere.includes(to)) return true
  return devices.includes(to) && (matches(file, testFiles) || file.endsWith("package.json"))
}

const forbiddenArrow = (from: WorkspacePackage, to: string): string => {
  if (devices.includes(to))
    return `a device package (${to}) is imported by applications and tests only`
  const allowed = [...(arrows[from.name] ?? ordinary), ...everywhere]
  return `${from.name} may not import ${to}; it may import ${allowed.join(", ")} (tools/check/rules.ts)`
}

const declared = (file: string, { manifest }: WorkspacePackage): ReadonlySet<string> => {
  const shipped = [
    manifest.dependencies,
    manifest.peerDependencies,
    manifest.optionalDependencies,
  ].flatMap((table) => Object.keys(table ?? {}))
  const developed = Object.keys(manifest.devDependencies ?? {})
  const all = matches(file, testFiles) || manifest.private
  return new Set(all ? [...shipped, ...developed] : shipped)
}

const checkImport = (
  repository: Repository,
  from: WorkspacePackage,
  file: string,
  { specifier }: Import,
): string | undefined => {
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(file), specifier)
    if (target.startsWith(`${from.folder}/`) || matches(file, ["**/*.config.ts"])) return undefined
    return from.manifest.private
      ? undefined
      : `"${specifier}" leaves the package; import another package by its name`
  }
  if (/^(?:\/|file:|[A-Za-z]:\\)/.test(specifier))
    return `"${specifier}" exists on one machine only; import a package by its name`
  if (isBuiltin(specifier)) {
    return matches(file, [...seesNode, ...testFiles])
      ? undefined
      : `"${specifier}" is Node's own; only the files listed in tools/check/rules.ts (seesNode) may import it`
  }
  const name = packageOf(specifier)
  if (name === from.manifest.name) return "import the package's own files by a relative path"
  if (name.startsWith(scope)) {
    const target = repository.packages.find(({ manifest }) => manifest.name === name)
    if (target === undefined) return `there is no package ${name}`
    if (!mayImport(from, file, target.name)) return forbiddenArrow(from, target.name)
    const subpath = `.${specifier.slice(name.length)}`
    if (!(subpath in (target.manifest.exports ?? {})))
      return `"${specifier}" is an inner file; a package is imported through its mod.ts`
  }
  if (!declared(file, from).has(name))
    return `"${name}" is not among the dependencies in ${from.folder}/package.json`
  return undefined
}

const checkSource = (
  repository: Repository,
  from: WorkspacePackage,
  file: string,
): ReadonlyArray<Problem> => {
  const text = repository.read(file)
  const problems = importsOf(file, text).flatMap((found): ReadonlyArray<Problem> => {
    const message = checkImport(repository, from, file, found)
    return message === undefined ? [] : [{ file, line: found.line, message }]
  })
  const forbidden = forbiddenText.flatMap(
    ({ pattern, say, except = [] }): ReadonlyArray<Problem> => {
      const found = pattern.exec(text)
      return found && !matches(file, ["tools/check/rules.ts", ...except])
        ? [{ file, line: lineAt(text, found.index), message: `"${found[0]}" ${say}` }]
        : []
    },
  )
  return [...problems, ...forbidden]
}

const checkDependencies = (
  repository: Repository,
  from: WorkspacePackage,
): ReadonlyArray<Problem> => {
  const file = `${from.folder}/package.json`
  const text = repository.read(file)
  const { dependencies, peerDependencies, devDependencies } = from.manifest
  const problem = (name: string, message: string): Problem => ({
    file,
    line: lineAt(text, text.indexOf(`"${name}"`)),
    message,
  })
  const shipped = Object.keys({ ...dependencies, ...peerDependencies })
  const all = [...shipped, ...Object.keys(devDependencies ?? {})]
  return all.flatMap((name) => {
    if (!name.startsWith(scope)) return []
    const target = repository.packages.find(({ manifest }) => manifest.name === name)
    if (target === undefined) return [problem(name, `there is no package ${name}`)]
    const isDevice = devices.includes(target.name) && !matches(file, seesEverything)
    if (!mayImport(from, file, target.name) || (isDevice && shipped.includes(name)))
      return [problem(name, forbiddenArrow(from, target.name))]
    return []
  })
}

const checkFiles = (repository: Repository, { folder, manifest }: WorkspacePackage) => {
  if (manifest.private) return []
  const missing = requiredFiles
    .map((name) => `${folder}/${name}`)
    .filter((file) => !repository.has(file))
    .map((file): Problem => ({ file, line: 1, message: "is missing; every package has one" }))
  const readme = `${folder}/README.md`
  const bad = repository.has(readme) ? badStart(repository.read(readme)) : undefined
  return bad === undefined
    ? missing
    : [...missing, { file: readme, line: bad.line, message: `a README ${bad.message}` }]
}

/** Everything that breaks a rule of the house, in the order of the files. */
export const checkArchitecture = (repository: Repository): ReadonlyArray<Problem> =>
  repository.packages.flatMap((from) => [
    ...checkFiles(repository, from),
    ...checkManifest(repository, from),
    ...checkDependencies(repository, from),
    ...from.sources.flatMap((file) => checkSource(repository, from, file)),
  ])
