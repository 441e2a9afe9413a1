import { Effect } from "effect"
import * as RateLimiter from "effect/persistence/RateLimiter"

/** What a server allows; what is left out has no limit. */
export interface RateLimit {
  readonly requestsPerMinute?: number
  /** Tokens of prompts and answers, estimated before the call. */
  readonly tokensPerMinute?: number
}

/** Waits until a call of so many tokens is allowed. */
export type Gate = (tokens: number) => Effect.Effect<void>

/**
 * A gate that keeps calls below a limit: two token buckets, full at the start and refilled evenly.
 * A single call larger than a minute's tokens waits for a full bucket.
 */
export const makeGate = Effect.fnUntraced(function* (limit: RateLimit) {
  const limiter = yield* Effect.provide(RateLimiter.make, RateLimiter.layerStoreMemory)
  const consume = (key: string, allowed: number | undefined, tokens: number) =>
    allowed === undefined
      ? Effect.void
      : RateLimiter.sleep(limiter, {
          algorithm: "token-bucket",
          window: "1 minute",
          limit: allowed,
          key,
          tokens: Math.min(tokens, allowed),
        }).pipe(Effect.orDie, Effect.asVoid)
  const gate: Gate = (tokens) =>
    Effect.andThen(
      consume("requests", limit.requestsPerMinute, 1),
      consume("tokens", limit.tokensPerMinute, tokens),
    )
  return gate
})
