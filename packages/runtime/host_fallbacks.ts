import { Context, Effect } from "effect"

/** What is told of device work done on the host. */
export interface HostFallbackRecorder {
  readonly record: (operation: string) => Effect.Effect<void>
}

/**
 * Where code says that it did a device's work on the host, so that no fall-back is silent: each step
 * of a pipeline lists them. The default forgets.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { HostFallbacks } from "@espalier/runtime"
 *
 * const cholesky = Effect.as(HostFallbacks.record("LinearAlgebra"), "factor")
 * const [factor, fallbacks] = await Effect.runPromise(HostFallbacks.collect(cholesky))
 * console.log(factor, fallbacks) // factor [ 'LinearAlgebra' ]
 * ```
 */
export class HostFallbacks extends Context.Reference<HostFallbackRecorder>(
  "@espalier/runtime/HostFallbacks",
  { defaultValue: () => ({ record: () => Effect.void }) },
) {
  /** Says that `operation` ran on the host although a device was asked for. */
  static record(operation: string): Effect.Effect<void> {
    return Effect.flatMap(HostFallbacks, (recorder) => recorder.record(operation))
  }

  /** Runs an effect and gives, beside its result, the distinct operations recorded in it, sorted. */
  static collect<A, E, R>(
    effect: Effect.Effect<A, E, R>,
  ): Effect.Effect<readonly [A, ReadonlyArray<string>], E, R> {
    return Effect.suspend(() => {
      const seen = new Set<string>()
      return effect.pipe(
        Effect.provideService(HostFallbacks, {
          record: (operation) => Effect.sync(() => void seen.add(operation)),
        }),
        Effect.map((value) => [value, [...seen].sort()] as const),
      )
    })
  }
}
