import { Clock, Effect, Ref } from "effect"

/** What a piece of work cost. */
export interface Cost {
  readonly seconds: number
  /** The most memory that the process held meanwhile, in MiB, looked at twenty times a second. */
  readonly peakMemory: number
}

const residentMemory = Effect.sync(() => process.memoryUsage.rss() / 2 ** 20)

/** Runs something and says what it cost. */
export const measured = Effect.fnUntraced(function* <A, E, R>(work: Effect.Effect<A, E, R>) {
  const peak = yield* Ref.make(yield* residentMemory)
  const look = Effect.flatMap(residentMemory, (now) =>
    Ref.update(peak, (most) => Math.max(most, now)),
  )
  const started = yield* Clock.currentTimeMillis
  const value = yield* Effect.scoped(
    Effect.gen(function* () {
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(50), look)))
      return yield* work
    }),
  )
  yield* look
  const ended = yield* Clock.currentTimeMillis
  const cost: Cost = {
    seconds: (ended - started) / 1000,
    peakMemory: Math.round(yield* Ref.get(peak)),
  }
  return [value, cost] as const
})
