import { Notices } from "@espalier/runtime"
import { sha256 } from "@espalier/tensor"
import { Effect, Option, Schema } from "effect"
import type { CacheFiles } from "./cache_files_node.ts"
import { openCacheFiles } from "./cache_files_node.ts"
import type { Lowered } from "./templates/common.ts"
import type { Strategy } from "./templates/strategy.ts"
import { version } from "./version.ts"

const LoweredCode = Schema.Struct({
  code: Schema.String,
  workgroups: Schema.Tuple([Schema.Int, Schema.Int, Schema.Int]),
})
const ProgramFile = Schema.fromJsonString(Schema.Record(Schema.String, LoweredCode))
const StrategyFile = Schema.fromJsonString(
  Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])),
)

/** WGSL of the kernels of one program, by the text of each kernel and how it is bound. */
export class ProgramCode {
  readonly #files: CacheFiles | undefined
  readonly #name: string
  readonly #known: Readonly<Record<string, Lowered>>
  readonly #used: Record<string, Lowered> = {}
  #isNew = false

  constructor(files: CacheFiles | undefined, name: string) {
    this.#files = files
    this.#name = name
    const text = files?.read(name)
    // A damaged file is as good as none: it is written anew.
    const read = text === undefined ? Option.none() : Schema.decodeUnknownOption(ProgramFile)(text)
    this.#known = Option.getOrElse(read, () => ({}))
  }

  /** What was kept for a kernel, or what `lower` makes. */
  get(key: string, lower: () => Lowered): Lowered {
    const known = Object.hasOwn(this.#known, key) ? this.#known[key] : undefined
    if (known === undefined) this.#isNew = true
    return (this.#used[key] = known ?? lower())
  }

  /** Keeps what was used, where it was not there before. */
  readonly save: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#files === undefined || !this.#isNew) return Effect.void
    const problem = this.#files.write(this.#name, JSON.stringify(this.#used))
    return problem === undefined ? Effect.void : reportProblem(problem)
  })
}

const reportProblem = (problem: string): Effect.Effect<void> =>
  Notices.report(`WGSL could not be kept on disk: ${problem}`)

/**
 * What a device keeps between processes: the WGSL of programs, and the strategy that tuning found.
 * Keyed by the package's version, the adapter and everything that shapes a kernel. Keeps nothing
 * where no directory is given. The driver's own compiled code is the driver's to keep.
 */
export class CodeCache {
  readonly #files: CacheFiles | undefined
  readonly #adapter: string

  private constructor(files: CacheFiles | undefined, adapter: string) {
    this.#files = files
    this.#adapter = adapter
  }

  static open(directory: string | undefined, adapter: string): Effect.Effect<CodeCache> {
    const files = directory === undefined ? undefined : openCacheFiles(directory)
    const cache = new CodeCache(files, adapter)
    return directory === undefined || files !== undefined
      ? Effect.succeed(cache)
      : Effect.as(reportProblem("there is no file system here"), cache)
  }

  #name(kind: string, ...parts: ReadonlyArray<string>): string {
    const key = sha256([version, this.#adapter, ...parts].join("\n")).slice(0, 32)
    return `${kind}-${key}.json`
  }

  /** The code of a program under a strategy. */
  program(hash: string, strategy: Strategy): ProgramCode {
    // Schedules made by hand have no hash, and with it no name on disk.
    const files = hash === "" ? undefined : this.#files
    return new ProgramCode(files, this.#name("wgsl", JSON.stringify(strategy), hash))
  }

  /** What tuning found for a table row, if it was kept. */
  tuned(base: Strategy): Option.Option<Partial<Strategy>> {
    const text = this.#files?.read(this.#name("tuned", JSON.stringify(base)))
    const read = text === undefined ? Option.none() : Schema.decodeUnknownOption(StrategyFile)(text)
    // A field of another version or kind would be worse than none.
    return Option.filter(read, (found) =>
      Object.entries(found).every(
        ([name, value]) => typeof value === typeof base[name as keyof Strategy],
      ),
    ) as Option.Option<Partial<Strategy>>
  }

  saveTuned(base: Strategy, found: Partial<Strategy>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const name = this.#name("tuned", JSON.stringify(base))
      const problem = this.#files?.write(name, JSON.stringify(found))
      return problem === undefined ? Effect.void : reportProblem(problem)
    })
  }
}
