import { Context, Effect, Option } from "effect"

/** The files of one checkpoint by name. */
export type CheckpointFiles = Readonly<Record<string, Uint8Array>>

/** Where unfinished work is kept. Each `save` replaces the one before it, wholly or not at all. */
export interface CheckpointStore {
  /** The last checkpoint saved under `name`; none where there is none or where it is damaged. */
  readonly load: (name: string) => Effect.Effect<Option.Option<CheckpointFiles>>
  readonly save: (name: string, files: CheckpointFiles) => Effect.Effect<void>
  readonly clear: (name: string) => Effect.Effect<void>
}

/**
 * Lets a long loop (training, a walk over the blocks of a model) go on where it was killed. The
 * default keeps nothing; a pipeline provides one that lives in its store and belongs to the step.
 *
 * @example
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Checkpoint } from "@espalier/runtime"
 *
 * const countTo = Effect.fnUntraced(function* (end: number) {
 *   const saved = yield* Checkpoint.load("count")
 *   let n = Option.match(saved, { onNone: () => 0, onSome: (files) => files.n[0] })
 *   while (n < end) yield* Checkpoint.save("count", { n: Uint8Array.of(++n) })
 *   yield* Checkpoint.clear("count")
 *   return n
 * })
 * console.log(await Effect.runPromise(countTo(3))) // 3
 * ```
 */
export class Checkpoint extends Context.Reference<CheckpointStore>("@espalier/runtime/Checkpoint", {
  defaultValue: () => ({
    load: () => Effect.succeedNone,
    save: () => Effect.void,
    clear: () => Effect.void,
  }),
}) {
  /** The last checkpoint saved under `name`, if any. */
  static load(name: string): Effect.Effect<Option.Option<CheckpointFiles>> {
    return Effect.flatMap(Checkpoint, (store) => store.load(name))
  }

  /** Replaces the checkpoint `name`, wholly or not at all. */
  static save(name: string, files: CheckpointFiles): Effect.Effect<void> {
    return Effect.flatMap(Checkpoint, (store) => store.save(name, files))
  }

  /** Forgets the checkpoint `name`. */
  static clear(name: string): Effect.Effect<void> {
    return Effect.flatMap(Checkpoint, (store) => store.clear(name))
  }
}

/**
 * A {@link CheckpointStore} in memory, for tests and for work that only has to survive within one
 * process.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Checkpoint, makeMemoryCheckpoints } from "@espalier/runtime"
 *
 * const store = makeMemoryCheckpoints()
 * await Checkpoint.save("a", { x: Uint8Array.of(1) }).pipe(
 *   Effect.provideService(Checkpoint, store),
 *   Effect.runPromise,
 * )
 * console.log((await Effect.runPromise(store.load("a")))._tag) // Some
 * ```
 */
export const makeMemoryCheckpoints = (): CheckpointStore => {
  const kept = new Map<string, CheckpointFiles>()
  const copy = (files: CheckpointFiles): CheckpointFiles =>
    Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, bytes.slice()]))
  return {
    load: (name) => Effect.sync(() => Option.map(Option.fromNullishOr(kept.get(name)), copy)),
    save: (name, files) => Effect.sync(() => void kept.set(name, copy(files))),
    clear: (name) => Effect.sync(() => void kept.delete(name)),
  }
}
