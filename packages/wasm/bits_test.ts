import * as Conformance from "@espalier/tensor/conformance"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { bits } from "./testing/bits.ts"

const seed = Number(process.env["ESPALIER_SEED"] ?? Conformance.daySeed())
const count = 100
console.log(`bits of random graphs of seed ${seed}; again with: ESPALIER_SEED=${seed}`)

const elsewhere = (threads: number): ReadonlyArray<string> =>
  execFileSync(
    process.execPath,
    [
      "--conditions=@espalier/source",
      fileURLToPath(new URL("testing/print_bits.ts", import.meta.url)),
      ...[threads, seed, count].map(String),
    ],
    { encoding: "utf8" },
  )
    .trim()
    .split("\n")

describe(`${count} random graphs and 50 steps of training give the same bits`, () => {
  it.effect("on one thread and on two, again and in other processes", () =>
    Effect.gen(function* () {
      const first = yield* bits({ threads: 1, seed, count })
      assert.strictEqual(first.length, count + 1)
      assert.deepStrictEqual(yield* bits({ threads: 2, seed, count }), first)
      assert.deepStrictEqual(yield* bits({ threads: 1, seed, count }), first)
      assert.deepStrictEqual(elsewhere(1), first)
      assert.deepStrictEqual(elsewhere(2), first)
    }),
  )
})
