import { Duration, Effect, Random, Stream } from "effect"
import type { HttpProblem } from "./http_problem.ts"

/** How requests that failed are repeated. */
export interface RetryPolicy {
  /** Most repetitions; 4 by default. 0: none. */
  readonly retries?: number
  /** The first wait; each further one is twice as long. Half a second by default. */
  readonly firstDelay?: Duration.Input
  /** The longest wait; 30 seconds by default. A server that asks for more is not asked again. */
  readonly longestDelay?: Duration.Input
}

const usual = { retries: 4, firstDelay: 500, longestDelay: 30_000 }

/**
 * Milliseconds to wait after a failure: exponential, of which a random half is left out so that
 * clients do not come back together; at least what the server asks for. `undefined`: give up.
 */
export const delayAfter = (
  policy: RetryPolicy,
  attempt: number,
  problem: Pick<HttpProblem, "retryable" | "retryAfter">,
  random: number,
): number | undefined => {
  if (!problem.retryable || attempt >= (policy.retries ?? usual.retries)) return undefined
  const longest = Duration.toMillis(policy.longestDelay ?? usual.longestDelay)
  const asked = problem.retryAfter === undefined ? 0 : Duration.toMillis(problem.retryAfter)
  if (asked > longest) return undefined
  const first = Duration.toMillis(policy.firstDelay ?? usual.firstDelay)
  const backOff = Math.min(longest, first * 2 ** attempt)
  return Math.max(asked, backOff * (1 - random / 2))
}

/** Waits before the next attempt, or fails where there is none. */
const wait = Effect.fnUntraced(function* (
  policy: RetryPolicy,
  attempt: number,
  problem: HttpProblem,
) {
  const delay = delayAfter(policy, attempt, problem, yield* Random.next)
  if (delay === undefined) return yield* problem
  yield* Effect.sleep(delay)
})

/** Repeats a request while its failure may pass. */
export const retrying = <A, R>(
  policy: RetryPolicy,
  request: Effect.Effect<A, HttpProblem, R>,
): Effect.Effect<A, HttpProblem, R> => {
  const attempt = (number: number): Effect.Effect<A, HttpProblem, R> =>
    Effect.catch(request, (problem) =>
      Effect.andThen(
        wait(policy, number, problem),
        Effect.suspend(() => attempt(number + 1)),
      ),
    )
  return attempt(0)
}

/**
 * Repeats a stream while its failure may pass, as long as it has given nothing: what was given out
 * cannot be taken back.
 */
export const retryingStream = <A, R>(
  policy: RetryPolicy,
  stream: Stream.Stream<A, HttpProblem, R>,
): Stream.Stream<A, HttpProblem, R> => {
  const attempt = (number: number): Stream.Stream<A, HttpProblem, R> =>
    Stream.suspend(() => {
      let begun = false
      return stream.pipe(
        Stream.tap(() => Effect.sync(() => void (begun = true))),
        Stream.catch((problem) =>
          begun
            ? Stream.fail(problem)
            : Stream.unwrap(Effect.map(wait(policy, number, problem), () => attempt(number + 1))),
        ),
      )
    })
  return attempt(0)
}
