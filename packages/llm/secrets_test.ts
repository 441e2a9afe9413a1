import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import * as fc from "fast-check"
import { publicUrl, scrubSecrets, secretsOfUrl } from "./secrets.ts"

describe("scrubSecrets", () => {
  it("leaves no form of a secret, whatever it is made of", () => {
    const secret = fc.string({ unit: "grapheme-ascii", minLength: 8, maxLength: 40 })
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (key, before, after) => {
        // A text that holds the mark itself, or in which the rests around it join to a new one.
        fc.pre(!"[redacted]".includes(key))
        for (const form of [key, encodeURIComponent(key), JSON.stringify(key).slice(1, -1)]) {
          const scrubbed = scrubSecrets(`${before} ${form} ${after}`, [Redacted.make(key)])
          assert.isTrue(!scrubbed.includes(form) || `${before} ${after}`.includes(form))
        }
      }),
    )
  })

  it("strikes out what looks like a key, though it is nobody's", () => {
    for (const key of [
      "sk-proj-abcdefghijklmnop",
      "sk-ant-api03-abcdefghijklmnop",
      "Bearer abcdefghijklmnopqrst",
      "AKIAABCDEFGHIJKLMNOP",
    ]) {
      assert.strictEqual(scrubSecrets(`a ${key} b`, []), "a [redacted] b")
    }
  })

  it("leaves place-holders and ordinary words alone", () => {
    const text = "EMPTY of risk-averse task-management"
    assert.strictEqual(scrubSecrets(text, [Redacted.make("EMPTY"), Redacted.make("")]), text)
  })
})

describe("URLs", () => {
  it("are shown without name, password and query, which count as secrets", () => {
    const url = "https://me:pass%20word@example.org/v1?key=abc&x=1"
    assert.strictEqual(publicUrl(url), "https://example.org/v1")
    assert.deepStrictEqual(secretsOfUrl(url).map(Redacted.value), ["me", "pass word", "abc", "1"])
    assert.strictEqual(publicUrl("what"), "(not a URL)")
  })
})
