import { assert, describe, it } from "@effect/vitest"
import { Notices } from "@espalier/runtime"
import { Effect } from "effect"
import { scoreFiles } from "./mod.ts"
import { memoryFiles } from "./testing/memory_files.ts"

const line = (output: unknown) => JSON.stringify({ instruction: "…", output })
const right = ["True", "False", "NEI"].map((label) =>
  line(`Prediction: ${label}.\nExplanation: ä b.`),
)

const score = (predictions: string, gold: string, skipBroken = false, piece = 7) =>
  scoreFiles({ predictions: "p.jsonl", gold: "g.json", skipBroken }).pipe(
    Effect.provide(memoryFiles({ "p.jsonl": predictions, "g.json": gold }, piece)),
  )

describe("scoreFiles", () => {
  it.effect("reads files in pieces of any size, with every kind of line end", () =>
    Effect.gen(function* () {
      const gold = right.join("\n")
      for (const piece of [1, 3, 64, 10_000]) {
        for (const text of [gold, `${gold}\n`, `\ufeff${right.join("\r\n")}\r\n\n`, `\n${gold}`]) {
          const { overall, items, skipped } = yield* score(text, gold, false, piece)
          assert.deepEqual([overall, items, skipped], [1, 3, 0])
        }
      }
    }),
  )

  it.effect("counts what names no label", () =>
    Effect.gen(function* () {
      const given = [right[0], line("Prediction: Flase"), line("")]
      const { accuracy, unparsable } = yield* score(given.join("\n"), right.join("\n"))
      assert.deepEqual([accuracy, unparsable], [1 / 3, 2])
    }),
  )

  const broken: ReadonlyArray<readonly [name: string, bad: string, says: RegExp, hint: RegExp]> = [
    ["a line that is no JSON", '{"output": "Pred', /p\.jsonl:2: not JSON/, /--skip-broken/],
    ["a line that is no object", "[1]", /p\.jsonl:2: not an object/, /object/],
    [
      "a missing field",
      '{"outptu": "x"}',
      /p\.jsonl:2: there is no field "output"/,
      /mean "output" by "outptu"/,
    ],
    ["a field of another type", '{"output": 7}', /p\.jsonl:2: .*is not a text/, /JSON string/],
  ]
  for (const [name, bad, says, hint] of broken) {
    it.effect(`names ${name}, and leaves it out where that is asked for`, () =>
      Effect.gen(function* () {
        const given = right.with(1, bad).join("\n")
        const error = yield* Effect.flip(score(given, right.join("\n")))
        assert.strictEqual(error._tag, "FmdFormatError")
        assert.match(error.message, says)
        assert.match(error.hint, hint)
        const notices: Array<string> = []
        const { items, skipped, accuracy } = yield* score(given, right.join("\n"), true).pipe(
          Effect.provideService(Notices, {
            report: (message) => Effect.sync(() => void notices.push(message)),
          }),
        )
        assert.deepEqual([items, skipped, accuracy], [2, 1, 1])
        assert.match(notices.join(), says)
      }),
    )
  }

  it.effect("says which label a right answer may have meant", () =>
    Effect.gen(function* () {
      const gold = right.with(2, line("Prediction: Flase.\nExplanation: x")).join("\n")
      const error = yield* Effect.flip(score(right.join("\n"), gold))
      assert.match(error.message, /g\.json:3: "Flase" is no label/)
      assert.match(error.hint, /Did you mean "False"/)
    }),
  )

  it.effect("refuses files of different lengths, either way", () =>
    Effect.gen(function* () {
      for (const [given, gold] of [
        [right.slice(1), right],
        [right, right.slice(1)],
      ]) {
        const error = yield* Effect.flip(score(given.join("\n"), gold.join("\n")))
        assert.strictEqual(error._tag, "PredictionCountMismatch")
        assert.match(
          error.message,
          new RegExp(`p.jsonl has ${given.length} .* g.json has ${gold.length}`),
        )
      }
    }),
  )

  it.effect("refuses files that are empty or not there", () =>
    Effect.gen(function* () {
      assert.match((yield* Effect.flip(score("", ""))).message, /g\.json: there is no line/)
      assert.match(
        (yield* Effect.flip(score("\n\n", right[0]))).message,
        /p\.jsonl: there is no line/,
      )
      const missing = scoreFiles({ predictions: "no.jsonl", gold: "g.json" }).pipe(
        Effect.provide(memoryFiles({ "g.json": right[0] })),
        Effect.flip,
      )
      assert.match((yield* missing).message, /no\.jsonl: there is no such file/)
    }),
  )
})
