import { Effect, FileSystem, Path, type PlatformError } from "effect"
import { isMap, isPair, isScalar, LineCounter, parseDocument } from "yaml"
import { InvalidPipeline, PipelineFileMissing, PipelineSyntaxError } from "./problem.ts"

/** The path of a value in a document. */
export type DocumentPath = ReadonlyArray<string | number>

/** Where something was written: the file as it was named (or the override), line and column from 1. */
export interface Origin {
  readonly file: string
  readonly line?: number
  readonly column?: number
}

/** A pipeline as it was written: a plain document and where its parts are. */
export interface PipelineSource {
  /** The file as it was named, for messages. */
  readonly file: string
  /** The absolute folder that relative paths are relative to. */
  readonly folder: string
  readonly document: unknown
  /** Where a key, or its value, was written. */
  readonly origin: (path: DocumentPath, part: "key" | "value") => Origin
}

/** A pipeline in a module: the same document as in YAML. */
export interface PipelineDocument {
  readonly name: string
  readonly description?: string
  readonly seed?: number
  readonly steps: Readonly<
    Record<string, { readonly use: string } & Readonly<Record<string, unknown>>>
  >
}

/**
 * Gives a pipeline in a TypeScript module its type; the module exports it as its default.
 *
 * @example
 * ```ts
 * import { definePipeline } from "@espalier/pipeline"
 *
 * export default definePipeline({
 *   name: "read",
 *   steps: { text: { use: "text/load", path: "story.txt" } },
 * })
 * ```
 */
export const definePipeline = <const Document extends PipelineDocument>(
  document: Document,
): Document => document

const yamlSource = (file: string, folder: string, text: string) => {
  const lines = new LineCounter()
  const parsed = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const position = (offset: number): Origin => {
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col }
  }
  const distinct = new Map(
    parsed.errors.map((error) => [`${error.pos[0]} ${error.message}`, error]),
  )
  const problems = [...distinct.values()].map(
    (error) =>
      new PipelineSyntaxError({
        ...position(error.pos[0]),
        at: "",
        detail: error.message,
        hint: "correct the YAML there; indentation and colons are the usual suspects",
      }),
  )
  if (problems.length > 0) return Effect.fail(new InvalidPipeline({ file, problems }))
  const origin = (path: DocumentPath, part: "key" | "value"): Origin => {
    if (path.length === 0) return { file }
    const parent: unknown =
      path.length === 1 ? parsed.contents : parsed.getIn(path.slice(0, -1), true)
    const last = path.at(-1)
    const pair = isMap(parent)
      ? parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === last)
      : undefined
    const node: unknown =
      pair === undefined
        ? parsed.getIn(path, true)
        : part === "key"
          ? pair.key
          : (pair.value ?? pair.key)
    const range =
      typeof node === "object" && node !== null && "range" in node ? node.range : undefined
    return Array.isArray(range) ? position(Number(range[0])) : { file }
  }
  return Effect.try({
    try: (): PipelineSource => ({ file, folder, document: parsed.toJS() as unknown, origin }),
    catch: (cause) =>
      new InvalidPipeline({
        file,
        problems: [
          new PipelineSyntaxError({
            file,
            at: "",
            detail: cause instanceof Error ? cause.message : String(cause),
            hint: "correct the YAML there",
          }),
        ],
      }),
  })
}

const moduleSource = Effect.fnUntraced(function* (file: string, absolute: string) {
  const path = yield* Path.Path
  const failed = (detail: string, hint: string) =>
    new InvalidPipeline({
      file,
      problems: [new PipelineSyntaxError({ file, at: "", detail, hint })],
    })
  const url = yield* Effect.orDie(path.toFileUrl(absolute))
  const loaded: unknown = yield* Effect.tryPromise({
    try: () => import(/* @vite-ignore */ url.href) as Promise<unknown>,
    catch: (cause) =>
      failed(
        `the module does not load: ${cause instanceof Error ? cause.message : String(cause)}`,
        "run the file with node by itself to see the whole error",
      ),
  })
  if (typeof loaded !== "object" || loaded === null || !("default" in loaded)) {
    return yield* failed(
      "the module has no default export",
      "write `export default definePipeline({ name, steps })`",
    )
  }
  const source: PipelineSource = {
    file,
    folder: path.dirname(absolute),
    document: loaded.default,
    origin: () => ({ file }),
  }
  return source
})

/**
 * Reads a pipeline file without judging what it says: YAML, or a module (`.ts`, `.js`, `.mjs`,
 * `.mts`) whose default export is the same document. A module is a program, which reading runs: with
 * `programs: false` it is refused.
 *
 * Fails with `PipelineFileMissing` where it cannot be read and `InvalidPipeline` where it is not
 * YAML or does not load.
 */
export const readPipelineFile = Effect.fnUntraced(function* (
  file: string,
  { programs = true }: { readonly programs?: boolean } = {},
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const absolute = path.resolve(file)
  const text = yield* fileSystem.readFileString(absolute).pipe(
    Effect.mapError(
      (error: PlatformError.PlatformError) =>
        new PipelineFileMissing({
          path: file,
          detail: describePlatformError(error),
          hint: "give the path of a pipeline file, e.g. pipelines/prune-stories.yaml",
        }),
    ),
  )
  if (!/\.[cm]?[jt]s$/.test(absolute)) return yield* yamlSource(file, path.dirname(absolute), text)
  if (programs) return yield* moduleSource(file, absolute)
  const problem = new PipelineSyntaxError({
    file,
    at: "",
    detail: "is a program, and a sandbox runs none",
    hint: "write the pipeline as YAML, or leave --sandbox out",
  })
  return yield* new InvalidPipeline({ file, problems: [problem] })
})

/** A file system error in a few words. */
export const describePlatformError = (error: PlatformError.PlatformError): string => {
  const reason = error.reason
  switch (reason._tag) {
    case "NotFound":
      return "it is not there"
    case "PermissionDenied":
      return "permission denied"
    case "AlreadyExists":
      return "it exists already"
    default: {
      const cause = "cause" in reason ? reason.cause : undefined
      return cause instanceof Error ? cause.message : (reason.description ?? reason.message)
    }
  }
}
