import { Effect } from "effect"

const everyMilliseconds = 20
const mebibyte = 2 ** 20

/**
 * Watches how much memory the process has while something runs. One timer serves all that are
 * watched at the same time; each is told the most that the whole process had meanwhile.
 */
export const makeMemoryWatch = () => {
  const watched = new Set<{ most: number }>()
  let timer: ReturnType<typeof setInterval> | undefined
  const sample = (): void => {
    const now = process.memoryUsage.rss()
    for (const each of watched) each.most = Math.max(each.most, now)
  }
  const begin = Effect.sync(() => {
    const own = { most: process.memoryUsage.rss() }
    watched.add(own)
    if (timer === undefined) {
      timer = setInterval(sample, everyMilliseconds)
      timer.unref()
    }
    return own
  })
  const end = (own: { most: number }) =>
    Effect.sync(() => {
      sample()
      watched.delete(own)
      if (watched.size > 0) return
      clearInterval(timer)
      timer = undefined
    })
  /** Gives the result and the most memory in MiB. */
  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, number], E, R> =>
    Effect.acquireUseRelease(
      begin,
      (own) =>
        Effect.map(effect, (value) => {
          sample()
          return [value, Math.round(own.most / mebibyte)] as const
        }),
      end,
    )
}
