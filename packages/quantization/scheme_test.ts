import { assert, describe, it } from "@effect/vitest"
import { Exit, Schema } from "effect"
import type { Scheme } from "./scheme.ts"
import {
  checkGroup,
  checkScheme,
  groupCount,
  groupWidth,
  levelsOf,
  printScheme,
  SchemeInput,
} from "./scheme.ts"
import { allSchemes } from "./testing/schemes.ts"

const decode = Schema.decodeUnknownExit(SchemeInput)

describe("a scheme", () => {
  it("is written as people write it", () => {
    const text = (scheme: Partial<Scheme>) =>
      printScheme({ bits: 4, group: "channel", symmetric: false, ...scheme })
    assert.deepStrictEqual(
      [text({}), text({ bits: 3, group: 128 }), text({ group: 32, symmetric: true })],
      ["w4 channel", "w3g128", "w4g32 symmetric"],
    )
  })

  it("knows its codes and groups", () => {
    assert.deepStrictEqual(
      ([2, 3, 4, 8] as const).map((bits) => levelsOf({ bits })),
      [3, 7, 15, 255],
    )
    assert.deepStrictEqual(
      [groupWidth({ group: "channel" }, 172), groupWidth({ group: 32 }, 64)],
      [172, 32],
    )
    assert.deepStrictEqual(
      [groupCount({ group: "channel" }, 172), groupCount({ group: 32 }, 64)],
      [1, 2],
    )
  })

  it("is read with what is left out", () => {
    for (const scheme of allSchemes) {
      assert.deepStrictEqual(decode(scheme), Exit.succeed(scheme))
      assert.isUndefined(checkScheme(scheme))
    }
    const whole: Scheme = { bits: 4, group: "channel", symmetric: false }
    assert.deepStrictEqual(decode({ bits: 4 }), Exit.succeed(whole))
  })

  it("of 1 or 9 bits, or of groups of 48, there is not", () => {
    for (const [option, value, hint] of [
      ["bits", 1, "Take 2, 3, 4 or 8."],
      ["bits", 9, "Take 2, 3, 4 or 8."],
      ["bits", 4.5, "Take 2, 3, 4 or 8."],
      ["bits", "4", "Take 2, 3, 4 or 8."],
      ["bits", Number.NaN, "Take 2, 3, 4 or 8."],
      ["group", 48, 'Take "channel", 32, 64 or 128.'],
      ["group", -1, 'Take "channel", 32, 64 or 128.'],
      ["group", "row", 'Take "channel", 32, 64 or 128.'],
      ["symmetric", 1, "Take true or false."],
    ] as const) {
      const scheme = { bits: 4, group: "channel", symmetric: false, [option]: value }
      const problem = checkScheme(scheme)
      assert.strictEqual(problem?._tag, "InvalidScheme")
      assert.strictEqual(problem?.message, `${option} ${value} cannot be had. ${hint}`)
      assert.isTrue(Exit.isFailure(decode(scheme)), `${option} ${value}`)
    }
  })

  it("says which groups would fit a width", () => {
    const problemOf = (group: Scheme["group"], width: number) =>
      checkGroup({ group }, "blocks.0.down", width)?.message
    assert.isUndefined(problemOf("channel", 172))
    assert.isUndefined(problemOf(64, 128))
    const sentence = (group: number, width: number, hint: string) =>
      `blocks.0.down has ${width} inputs, which groups of ${group} do not divide. ${hint}`
    assert.strictEqual(problemOf(32, 172), sentence(32, 172, "Quantise per channel."))
    assert.strictEqual(
      problemOf(128, 192),
      sentence(128, 192, "Quantise per channel, or in groups of 64."),
    )
  })
})
