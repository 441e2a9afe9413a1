import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { canonicalJson, isJsonArray, isJsonObject, type Json, toJson } from "./canonical_json.ts"

const reversed = (value: Json): Json => {
  if (isJsonArray(value)) return value.map(reversed)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, reversed(item)]),
  )
}

describe("canonicalJson", () => {
  it.effect.prop("is JSON of the same value", [Schema.Json], ([value]) =>
    Effect.sync(() => {
      const plain = JSON.parse(JSON.stringify(value)) as Json
      assert.deepStrictEqual(JSON.parse(canonicalJson(value)), plain)
    }),
  )

  it.effect.prop("does not depend on the order of keys", [Schema.Json], ([value]) =>
    Effect.sync(() => assert.strictEqual(canonicalJson(reversed(value)), canonicalJson(value))),
  )

  it.effect.prop("is a fixed point", [Schema.Json], ([value]) =>
    Effect.sync(() => {
      const text = canonicalJson(value)
      assert.strictEqual(canonicalJson(JSON.parse(text) as Json), text)
    }),
  )

  it("sorts by code unit as RFC 8785, section 3.2.3, prescribes", () => {
    const value = {
      "\u20ac": 1,
      "\r": 2,
      "\ufb33": 3,
      "1": 4,
      "\ud83d\ude00": 5,
      "\u0080": 6,
      "\u00f6": 7,
    }
    assert.deepStrictEqual(
      Object.values(JSON.parse(canonicalJson(value)) as Record<string, number>).length,
      7,
    )
    const order = [...canonicalJson(value).matchAll(/:(\d)/g)].map((match) => Number(match[1]))
    assert.deepStrictEqual(order, [2, 4, 6, 7, 1, 5, 3])
  })

  it("has no text for a number that is not finite", () => {
    assert.throws(() => canonicalJson({ a: Number.NaN }), RangeError)
  })
})

describe("toJson", () => {
  it("keeps what JSON cannot say, in words", () => {
    assert.deepStrictEqual(
      toJson({
        a: Infinity,
        b: Number.NaN,
        c: undefined,
        d: Float32Array.of(1, 2),
        e: 3n,
        f: [undefined],
      }),
      { a: "Infinity", b: "NaN", d: [1, 2], e: "3", f: [null] },
    )
  })

  it.effect.prop("changes no JSON", [Schema.Json], ([value]) =>
    Effect.sync(() => assert.deepStrictEqual(toJson(value), value)),
  )
})
