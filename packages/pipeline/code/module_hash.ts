import { readFileSync, realpathSync, statSync } from "node:fs"
import { isBuiltin } from "node:module"
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path"
import type * as Esbuild from "esbuild"
import type {
  Loader,
  OnLoadResult,
  OnResolveArgs,
  OnResolveResult,
  Plugin,
  PluginBuild,
} from "esbuild"
import { makePackages, type PackageFolder, packageNameOf } from "./package_folder.ts"
import { sha256 } from "../sha256.ts"

/** What stands for the code of a module and of everything that it imports. */
export interface ModuleGraph {
  /** Of what is left of the code without types, comments, white space and what nothing uses. */
  readonly sha256: string
  /** The exact versions of the installed packages that the code imports. */
  readonly packages: Readonly<Record<string, string>>
  /** The files of its modules, by package and path in it. */
  readonly modules: ReadonlyMap<string, string>
}

/** Graphs by the file that each begins with, and what they were made from. */
export interface ModuleGraphs {
  readonly graphs: ReadonlyMap<string, ModuleGraph>
  /** The stamp of every file that was read, by its path. */
  readonly stamps: ReadonlyMap<string, string>
  /** Which folder each package was found in, by its name and the folder that it was asked from. */
  readonly found: ReadonlyArray<readonly [name: string, from: string, folder: string]>
  /** Whether all files have been as they are for a while: a stamp tells a change of such a file. */
  readonly isSettled: boolean
}

/** How results are kept and followed is not what they depend on: these count by their version. */
const countedByVersion = ["@espalier/pipeline", "@espalier/runtime"]

/** Installed packages count by their version, but these are read, as are those of a workspace. */
const ownScope = "@espalier/"

/** Run from source, packages of a workspace are read where they are imported from: their source. */
const conditions = import.meta.url.endsWith(".ts") ? ["@espalier/source"] : []

const loaders: Readonly<Record<string, Loader>> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".jsx": "jsx",
  ".json": "json",
  ".js": "js",
  ".mjs": "js",
  ".cjs": "js",
}

let users = 0

/** Lends esbuild, whose own process lives no longer than somebody uses it. */
const useEsbuild = async <A>(work: (esbuild: typeof Esbuild) => Promise<A>): Promise<A> => {
  const esbuild = await import("esbuild")
  users++
  try {
    return await work(esbuild)
  } finally {
    if (--users === 0) await esbuild.stop()
  }
}

const loaderOf = (path: string): Loader => loaders[extname(path)] ?? "binary"

/** What both calls of esbuild have in common. */
const settings = {
  target: "esnext",
  treeShaking: true,
  minifyWhitespace: true,
  legalComments: "none",
  charset: "utf8",
  logLevel: "silent",
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
} as const

/** A module that is loaded by its URL, such as a worker. */
const byUrl = /\bnew URL\(\s*["'`](\.[^"'`]+)["'`]\s*,\s*import\.meta\.url\s*\)/g

const namespace = "m"
const reachedByUrl = "?by-url"

/** What changes with a file: its size, and when it and its place in the folder were last written. */
export const stampOf = (path: string): string | undefined => {
  const info = statSync(path, { throwIfNoEntry: false, bigint: true })
  return info && `${info.size} ${info.mtimeNs} ${info.ctimeNs}`
}

/** Files that are as old as this in milliseconds get another stamp when they are written. */
const settledAfter = 1000

const isFile = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

/**
 * Reads modules for esbuild under names that no machine has its own of: package and path in it. So
 * nothing of where a clone lies is in what esbuild makes.
 */
const makeReader = (entries: ReadonlyArray<string>) => {
  const packages = makePackages()
  const paths = new Map<string, string>()
  const names = new Map<string, string>()
  const stamps = new Map<string, string>()
  const found = new Map<string, readonly [name: string, from: string, folder: string]>()
  let isSettled = true
  const versions = new Map<string, Set<string>>()

  /** Notes how a file is before it is read. */
  const stamp = (path: string) => {
    if (stamps.has(path)) return
    const { ctimeMs } = statSync(path)
    isSettled &&= Date.now() - ctimeMs > settledAfter
    stamps.set(path, stampOf(path) ?? "")
  }

  const nameIn = (owner: PackageFolder | undefined, path: string): string => {
    const folder = owner?.folder ?? dirname(entries[0])
    const inner = relative(folder, path).split(sep).join("/")
    return owner === undefined ? inner : `${owner.name}/${inner}`
  }

  const nameOf = (path: string): string => {
    const known = names.get(path)
    if (known !== undefined) return known
    const owner = packages.around(path)
    if (owner !== undefined) stamp(join(owner.folder, "package.json"))
    const plain = nameIn(owner, path)
    const name = paths.has(plain) ? `${plain}@${owner?.version ?? paths.size}` : plain
    names.set(path, name)
    paths.set(name, path)
    return name
  }

  /** A module that is read. */
  const inside = (path: string, sideEffects?: boolean): OnResolveResult => ({
    namespace,
    path: nameOf(path),
    sideEffects: sideEffects ?? packages.around(path)?.sideEffects ?? true,
  })

  /** A package that counts by its version. */
  const outside = (specifier: string, version: string): OnResolveResult => {
    const name = packageNameOf(specifier)
    versions.set(name, (versions.get(name) ?? new Set()).add(version))
    return { path: specifier, external: true }
  }

  const resolvePackage = (specifier: string, from: string): OnResolveResult | undefined => {
    if (isBuiltin(specifier)) return { path: specifier, external: true }
    const name = packageNameOf(specifier)
    const importer = packages.around(join(from, "_"))
    const installed = packages.installed(name, from)
    const asked = importer?.folder ?? from
    found.set(`${name} ${asked}`, [name, asked, installed?.folder ?? ""])
    if (installed === undefined) {
      return importer?.name === name ? undefined : outside(specifier, "missing")
    }
    stamp(join(installed.folder, "package.json"))
    const isInstalled = installed.folder.split(sep).includes("node_modules")
    return countedByVersion.includes(name) || (isInstalled && !name.startsWith(ownScope))
      ? outside(specifier, installed.version)
      : undefined
  }

  const resolveIn =
    (build: PluginBuild) =>
    async (given: OnResolveArgs): Promise<OnResolveResult | undefined> => {
      if (given.pluginData === "own" || given.path.startsWith("data:")) return undefined
      if (given.kind === "entry-point") return inside(realpathSync(given.path), true)
      const importer = paths.get(given.importer)
      const from = importer === undefined ? given.resolveDir : dirname(importer)
      const isUrl = given.path.endsWith(reachedByUrl)
      const specifier = isUrl ? given.path.slice(0, -reachedByUrl.length) : given.path
      if (specifier.startsWith(".")) {
        const path = resolve(from, specifier)
        if (isFile(path)) return inside(path, isUrl ? true : undefined)
      } else if (!/^[/#]|^[A-Za-z]:[\\/]/.test(specifier)) {
        const resolved = resolvePackage(specifier, from)
        if (resolved !== undefined) return resolved
      }
      const { path, errors } = await build.resolve(specifier, {
        resolveDir: from,
        kind: given.kind,
        pluginData: "own",
      })
      return errors.length > 0 ? { errors } : inside(path)
    }

  const load = (name: string): OnLoadResult => {
    const path = paths.get(name) ?? name
    stamp(path)
    const bytes = readFileSync(path)
    const loader = loaderOf(path)
    if (loader === "binary") return { contents: bytes, loader }
    const text = bytes.toString("utf8")
    const folder = dirname(path)
    const targets = Array.from(text.matchAll(byUrl), ([, target]) => target).filter(
      (target) => extname(target) in loaders && isFile(resolve(folder, target)),
    )
    const imports = targets.map((target) => `import ${JSON.stringify(target + reachedByUrl)}\n`)
    return { contents: [text, "\n", ...imports].join(""), loader, resolveDir: folder }
  }

  const plugin: Plugin = {
    name: "modules-by-package",
    setup: (build) => {
      build.onResolve({ filter: /.*/ }, resolveIn(build))
      build.onLoad({ filter: /.*/, namespace }, ({ path }) => load(path))
    },
  }
  const versionOf = (name: string): string =>
    Array.from(versions.get(name) ?? [])
      .toSorted()
      .join(" and ")
  return {
    plugin,
    versionOf,
    pathOf: (name: string): string => paths.get(name)!,
    read: () => ({ stamps, found: [...found.values()], isSettled }),
  }
}

/**
 * What stands for the code of modules, each with everything that it imports: the output of esbuild,
 * which leaves out types, comments, white space, and exports that nothing uses. Modules of packages in
 * a workspace and of `@espalier/*` are read; other installed packages count by their exact version.
 * Modules that are loaded by `new URL("./worker.js", import.meta.url)` are read too. Nothing depends
 * on where the files lie.
 *
 * Rejects where esbuild is not there, or cannot read a module.
 *
 * @param files absolute paths.
 */
export const hashModules = async (files: ReadonlyArray<string>): Promise<ModuleGraphs> => {
  const entries = [...new Set(files)].toSorted()
  if (entries.length === 0)
    return { graphs: new Map(), stamps: new Map(), found: [], isSettled: true }
  const { plugin, versionOf, pathOf, read } = makeReader(entries)
  const { outputFiles, metafile } = await useEsbuild(({ build }) =>
    build({
      ...settings,
      entryPoints: entries.map((path, i) => ({ in: path, out: String(i) })),
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "node",
      outdir: dirname(entries[0]),
      conditions,
      plugins: [plugin],
    }),
  )
  const described = new Map(
    Object.entries(metafile.outputs).map(([path, output]) => [basename(path), output]),
  )
  const graphs = outputFiles.map(({ path, contents }): [string, ModuleGraph] => {
    const { inputs, imports } = described.get(basename(path))!
    const external = imports.filter((one) => one.external && !isBuiltin(one.path))
    const names = [...new Set(external.map((one) => packageNameOf(one.path)))].toSorted()
    const used = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    const modules = used.map(([input]) => input.slice(namespace.length + 1))
    const graph: ModuleGraph = {
      sha256: sha256(contents),
      packages: Object.fromEntries(names.map((name) => [name, versionOf(name)])),
      modules: new Map(modules.map((name) => [name, pathOf(name)])),
    }
    return [entries[Number.parseInt(basename(path), 10)], graph]
  })
  return { graphs: new Map(graphs), ...read() }
}

/**
 * The first digits of a hash of each module by itself, without types, comments and white space.
 * Rejects as {@link hashModules} does.
 */
export const hashEachModule = async (
  modules: ReadonlyMap<string, string>,
): Promise<Readonly<Record<string, string>>> => {
  const hashes = await useEsbuild(({ transform }) => {
    const each = Array.from(modules, async ([name, path]) => {
      const { code } = await transform(readFileSync(path), { ...settings, loader: loaderOf(path) })
      return [name, sha256(code).slice(0, 12)] as const
    })
    return Promise.all(each)
  })
  return Object.fromEntries(hashes)
}
