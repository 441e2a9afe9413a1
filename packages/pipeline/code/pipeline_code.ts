import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Notices } from "@espalier/runtime"
import { Effect, Option } from "effect"
import type { JsonObject } from "../canonical_json.ts"
import type { Pipeline } from "../pipeline.ts"
import { PipelineDevice } from "../pipeline_device.ts"
import { sha256Json } from "../sha256.ts"
import type { Step } from "../step.ts"
import { Store } from "../store.ts"
import { cacheName, packGraphs, unpackGraphs } from "./module_cache.ts"
import { hashEachModule, hashModules, type ModuleGraph } from "./module_hash.ts"

/** What stands for the code of a pipeline: of its steps, and of the device that they run on. */
export interface PipelineCode {
  /** `modules`: an edit of a module is noticed. `versions`: of some code, only that of a version. */
  readonly by: "modules" | "versions"
  /** What is in the key of a step for its code. */
  readonly ofStep: (step: Pick<Step, "module">) => JsonObject
  /** What is in the key of a step that uses the device; null where its modules are not known. */
  readonly ofDevice: JsonObject | null
  /** The exact versions of the installed packages that the code imports. */
  readonly packages: Readonly<Record<string, string>>
  /** The hashes of the modules that a hash stands for; none where it is not of this code. */
  readonly modulesOf: (graph: string) => Effect.Effect<Readonly<Record<string, string>>>
}

/**
 * No pipeline has this name: here the store remembers, in the place of what steps were made from, the
 * modules that hashes of code stand for.
 */
export const codeInStore = ""

/** A file that modules may be read from. */
const fileOf = (module: string | undefined): string | undefined => {
  if (module?.startsWith("file:") !== true) return undefined
  const file = fileURLToPath(module)
  return existsSync(file) ? file : undefined
}

/** Several graphs as one. */
const joinGraphs = (graphs: ReadonlyArray<ModuleGraph>): ModuleGraph => ({
  sha256: sha256Json(graphs.map(({ sha256 }) => sha256)),
  packages: Object.assign({}, ...graphs.map(({ packages }) => packages)),
  modules: new Map(graphs.flatMap(({ modules }) => [...modules])),
})

const material = ({ sha256, packages }: ModuleGraph): JsonObject => ({ graph: sha256, packages })

const atMost = 3
const listed = (names: ReadonlyArray<string>): string =>
  names.length <= atMost
    ? names.join(", ")
    : `${names.slice(0, atMost).join(", ")} and ${names.length - atMost} more`

/** Why modules could not be read, in a line. */
const tell = (error: unknown): string => {
  const { code, errors, message } = error as Partial<{
    code: string
    errors: ReadonlyArray<{ text: string }>
    message: string
  }>
  if (code === "ERR_MODULE_NOT_FOUND") return "esbuild is not there"
  return errors?.[0]?.text ?? message?.split("\n")[0] ?? String(error)
}

/** The graphs of files, from the store where nothing of them has changed. */
const readGraphs = Effect.fnUntraced(function* (files: ReadonlyArray<string>) {
  const store = yield* Store
  const name = cacheName(files)
  const kept = Option.flatMap(yield* store.latest(codeInStore, name), (graphs) =>
    Option.fromUndefinedOr(unpackGraphs(graphs)),
  )
  if (Option.isSome(kept)) return kept.value
  const made = yield* Effect.tryPromise(() => hashModules(files))
  const packed = packGraphs(made)
  if (packed !== undefined) yield* store.putLatest(codeInStore, name, packed)
  return made.graphs
})

/**
 * Reads the code of a pipeline, all of it in one go. What cannot be read counts by the versions of
 * `packages` instead, which is reported as a notice.
 */
export const readPipelineCode = Effect.fnUntraced(function* <R>(
  { steps }: Pick<Pipeline<R>, "steps">,
  packages: Readonly<Record<string, string>>,
) {
  const device = yield* PipelineDevice
  const ofDevice = steps.some(({ step }) => step.usesDevice) ? device.modules : undefined
  const modules = new Map(steps.map(({ step }) => [step.use, step.module]))
  const files = new Map([...modules.values(), ...(ofDevice ?? [])].map((url) => [url, fileOf(url)]))
  const readable = [...files.values()].filter((file) => file !== undefined)
  const [graphs, problem] = yield* readGraphs(readable).pipe(
    Effect.map((read) => [read, undefined] as const),
    Effect.catchTag("UnknownError", ({ cause }) =>
      Effect.succeed([new Map<string, ModuleGraph>(), tell(cause)] as const),
    ),
  )
  const graphOf = (module: string | undefined) => graphs.get(files.get(module) ?? "")
  const parts = (ofDevice ?? []).map(graphOf).filter((graph) => graph !== undefined)
  const deviceGraph = parts.length === ofDevice?.length ? joinGraphs(parts) : undefined
  const coarse = [...modules].flatMap(([use, module]) => (graphOf(module) ? [] : [use]))
  const byModules = coarse.length === 0 && (ofDevice === undefined || deviceGraph !== undefined)
  if (problem !== undefined) {
    yield* Notices.report(`the code counts by package versions, not by what it is: ${problem}`)
  } else if (coarse.length > 0) {
    const hint = "give Step.define module: import.meta.url"
    yield* Notices.report(`the code of ${listed(coarse)} counts by package versions: ${hint}`)
  } else if (!byModules) {
    yield* Notices.report("the code of the device counts by package versions: it cannot be read")
  }
  const all = [...graphs.values(), ...(deviceGraph === undefined ? [] : [deviceGraph])]
  const byHash = new Map(all.map((graph) => [graph.sha256, graph]))
  const versions: JsonObject = { versions: packages }
  const describe = (graph: ModuleGraph | undefined) =>
    graph === undefined ? versions : material(graph)
  const code: PipelineCode = {
    by: byModules ? "modules" : "versions",
    ofStep: ({ module }) => describe(graphOf(module)),
    ofDevice: ofDevice === undefined ? null : describe(deviceGraph),
    packages: joinGraphs(all).packages,
    modulesOf: (graph) =>
      Effect.tryPromise(() => hashEachModule(byHash.get(graph)?.modules ?? new Map())).pipe(
        Effect.orElseSucceed(() => ({})),
      ),
  }
  return code
})
