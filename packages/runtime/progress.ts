import { Context, Effect } from "effect"

/** One word about how far a task is. Counts are in `unit`s; rates and time left are the listener's business. */
export interface ProgressUpdate {
  /** What is being done, in a few words: the same text for every update of one task. */
  readonly task: string
  /** How many units are done. */
  readonly completed: number
  /** How many units there are, where that is known. */
  readonly total?: number
  /** What is counted: `"windows"`, `"steps"`, `"bytes"`. */
  readonly unit?: string
  /** A short remark about the current state, e.g. `"loss 1.73"`. */
  readonly note?: string
}

/** What listens to progress. */
export interface ProgressReporter {
  readonly report: (update: ProgressUpdate) => Effect.Effect<void>
}

/**
 * Where long-running code says how far it is. The default says nothing, so a library may report
 * freely and an application listens where it wants to.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Progress } from "@espalier/runtime"
 *
 * const seen: Array<number> = []
 * await Progress.track([10, 20, 30], (n) => Effect.succeed(n + 1), { task: "adding", unit: "numbers" }).pipe(
 *   Effect.provideService(Progress, {
 *     report: (update) => Effect.sync(() => { seen.push(update.completed) }),
 *   }),
 *   Effect.runPromise,
 * )
 * console.log(seen) // [ 0, 1, 2, 3 ]
 * ```
 */
export class Progress extends Context.Reference<ProgressReporter>("@espalier/runtime/Progress", {
  defaultValue: () => ({ report: () => Effect.void }),
}) {
  /** Reports one update to whoever listens. */
  static report(update: ProgressUpdate): Effect.Effect<void> {
    return Effect.flatMap(Progress, (reporter) => reporter.report(update))
  }

  /**
   * Runs `body` for each item in order and reports before the first and after each one. The total is
   * the number of items.
   */
  static track<Item, A, E, R>(
    items: ReadonlyArray<Item>,
    body: (item: Item, index: number) => Effect.Effect<A, E, R>,
    options: { readonly task: string; readonly unit?: string },
  ): Effect.Effect<Array<A>, E, R> {
    return Effect.gen(function* () {
      const reporter = yield* Progress
      const update = { ...options, total: items.length }
      yield* reporter.report({ ...update, completed: 0 })
      return yield* Effect.forEach(items, (item, index) =>
        Effect.tap(body(item, index), () => reporter.report({ ...update, completed: index + 1 })),
      )
    })
  }
}
