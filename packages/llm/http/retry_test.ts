import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import * as fc from "fast-check"
import { parseRetryAfter } from "./http_problem.ts"
import { delayAfter } from "./retry.ts"

const transient = { retryable: true }

describe("delayAfter", () => {
  it("lies between half and the whole of a delay that doubles up to the longest", () => {
    fc.assert(
      fc.property(fc.nat(9), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, random) => {
        const policy = { retries: 10, firstDelay: 100, longestDelay: 2000 }
        const whole = Math.min(2000, 100 * 2 ** attempt)
        const delay = delayAfter(policy, attempt, transient, random) ?? -1
        assert.isAtLeast(delay, whole / 2)
        assert.isAtMost(delay, whole)
      }),
    )
  })

  it("waits as long as the server asks, and gives up where that is too long", () => {
    const asked = { retryable: true, retryAfter: Duration.seconds(5) }
    assert.strictEqual(delayAfter({}, 0, asked, 0.5), 5000)
    assert.isUndefined(delayAfter({ longestDelay: "4 seconds" }, 0, asked, 0.5))
  })

  it("gives up after the last attempt, and at once where repeating does not help", () => {
    assert.isUndefined(delayAfter({ retries: 2 }, 2, transient, 0))
    assert.isUndefined(delayAfter({}, 0, { retryable: false }, 0))
  })
})

describe("parseRetryAfter", () => {
  const now = Date.parse("2026-11-23T12:00:00Z")
  const millisOf = (headers: Record<string, string>) => {
    const duration = parseRetryAfter(headers, now)
    return duration === undefined ? undefined : Duration.toMillis(duration)
  }

  it("reads seconds, milliseconds and dates, and ignores what is none of these", () => {
    assert.strictEqual(millisOf({ "retry-after": "2" }), 2000)
    assert.strictEqual(millisOf({ "retry-after": "2", "retry-after-ms": "150" }), 150)
    assert.strictEqual(millisOf({ "retry-after": "Mon, 23 Nov 2026 12:00:03 GMT" }), 3000)
    assert.strictEqual(millisOf({ "retry-after": "Mon, 23 Nov 2026 11:00:00 GMT" }), 0)
    assert.isUndefined(millisOf({ "retry-after": "soon" }))
    assert.isUndefined(millisOf({}))
  })
})
