import { Context, Effect } from "effect"

/** What is told of things a person should know although nothing failed. */
export interface NoticeReporter {
  readonly report: (message: string) => Effect.Effect<void>
}

/**
 * Where code says what a person should know although nothing failed: fewer calibration windows than
 * asked for, a raised damping, a damaged cache entry. The default says nothing; a pipeline prints
 * them and keeps them with the step.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Notices } from "@espalier/runtime"
 *
 * const sample = Effect.as(Notices.report("asked for 64 windows, the text has 51"), 51)
 * console.log(await Effect.runPromise(Notices.collect(sample)))
 * // [ 51, [ 'asked for 64 windows, the text has 51' ] ]
 * ```
 */
export class Notices extends Context.Reference<NoticeReporter>("@espalier/runtime/Notices", {
  defaultValue: () => ({ report: () => Effect.void }),
}) {
  /** Says one thing, as a full sentence or clause without the name of the step. */
  static report(message: string): Effect.Effect<void> {
    return Effect.flatMap(Notices, (reporter) => reporter.report(message))
  }

  /** Runs an effect and gives, beside its result, the distinct notices in the order they came. */
  static collect<A, E, R>(
    effect: Effect.Effect<A, E, R>,
  ): Effect.Effect<readonly [A, ReadonlyArray<string>], E, R> {
    return Effect.suspend(() => {
      const seen = new Set<string>()
      return effect.pipe(
        Effect.provideService(Notices, {
          report: (message) => Effect.sync(() => void seen.add(message)),
        }),
        Effect.map((value) => [value, [...seen]] as const),
      )
    })
  }
}
