import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { packCheckpoint, unpackCheckpoint } from "./checkpoint_file.ts"

describe("checkpoint files", () => {
  it.effect.prop(
    "unpacking gives what was packed, and nothing from a damaged pack",
    [Schema.Record(Schema.String, Schema.Uint8Array), Schema.Natural, Schema.Int],
    ([files, place, flip]) =>
      Effect.sync(() => {
        const packed = packCheckpoint(files)
        assert.deepStrictEqual(Option.getOrThrow(unpackCheckpoint(packed)), files)
        const broken = packed.slice()
        broken[place % broken.length] ^= (Math.abs(flip) % 255) + 1
        assert.isTrue(Option.isNone(unpackCheckpoint(broken)))
        assert.isTrue(Option.isNone(unpackCheckpoint(packed.subarray(0, packed.length - 1))))
      }),
  )
})
