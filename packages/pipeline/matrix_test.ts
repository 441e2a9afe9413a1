import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { makeWorkplace } from "./testing/workplace.ts"

layer(NodeServices.layer, { excludeTestServices: true })("matrix", (it) => {
  it.effect("makes a step for each combination, and of all that take it", () =>
    Effect.gen(function* () {
      const { run, write, load } = yield* makeWorkplace
      yield* write("story.txt", "ab")
      const text = `name: sweep
steps:
  story: { use: test/read, path: story.txt }
  loud: { use: test/shout, text: $story, matrix: { times: [1, 2], fail: [false] } }
  size: { use: test/measure, text: $loud }
  plain: { use: test/measure, text: $story }
  first: { use: test/measure, text: "$loud[times=1,fail=false]" }
  all: { use: test/table, rows: { loud: $size, plain: $plain } }
  listed: { use: test/table, rows: [$size] }
`
      const pipeline = yield* load(text)
      assert.deepStrictEqual(
        pipeline.steps.map(({ id }) => id),
        [
          "story",
          "loud[times=1,fail=false]",
          "loud[times=2,fail=false]",
          "size[times=1,fail=false]",
          "size[times=2,fail=false]",
          "plain",
          "first",
          "all",
          "listed",
        ],
      )
      const record = yield* run(text)
      assert.strictEqual(record.status, "done")
      assert.deepStrictEqual(record.steps.all.metrics, {
        "loud[times=1,fail=false]": 2,
        "loud[times=2,fail=false]": 4,
        plain: 2,
      })
      assert.deepStrictEqual(record.steps.listed.metrics, {
        "size[times=1,fail=false]": 2,
        "size[times=2,fail=false]": 4,
      })
      assert.strictEqual(record.steps.first.metrics.letters, 2)
      // Values are in the keys as if they had been written there.
      const alone = text.replace(
        "matrix: { times: [1, 2], fail: [false] }",
        "times: 2, fail: false",
      )
      const again = yield* run(alone.replace(/ {2}first.*\n/, ""))
      assert.strictEqual(again.steps.loud.status, "cached")
    }),
  )

  it.effect("pairs what stems from the same axis, and crosses what does not", () =>
    Effect.gen(function* () {
      const { load, write } = yield* makeWorkplace
      yield* write("story.txt", "ab")
      const ids = (text: string) =>
        Effect.map(
          load(`name: p\nsteps:\n  story: { use: test/read, path: story.txt }\n${text}`),
          (p) => p.steps.map(({ id }) => id).slice(1),
        )
      const paired =
        yield* ids(`  loud: { use: test/shout, text: $story, matrix: { times: [1, 2] } }
  cut: { use: test/split, text: $loud }
  both: { use: test/measure, text: $cut.head, other: $loud }
`)
      assert.deepStrictEqual(paired.slice(-2), ["both[times=1]", "both[times=2]"])
      const crossed =
        yield* ids(`  loud: { use: test/shout, text: $story, matrix: { times: [1, 2] } }
  soft: { use: test/shout, text: $story, matrix: { times: [3] } }
  both: { use: test/measure, text: $loud, other: $soft }
`)
      assert.deepStrictEqual(crossed.slice(-2), [
        "both[loud.times=1,soft.times=3]",
        "both[loud.times=2,soft.times=3]",
      ])
    }),
  )

  it.effect("names the place of what is wrong, once", () =>
    Effect.gen(function* () {
      const { load, write } = yield* makeWorkplace
      yield* write("story.txt", "ab")
      const told = Effect.fnUntraced(function* (matrix: string, more = "") {
        const text = `name: p
steps:
  story: { use: test/read, path: story.txt }
  loud: { use: test/shout, text: $story, ${more}matrix: ${matrix} }
`
        const error = yield* Effect.flip(load(text))
        assert.strictEqual(error._tag, "InvalidPipeline")
        return error.message
      })
      assert.match(
        yield* told("{ tims: [1, 2] }"),
        /:4:\d+: steps\.loud\[tims=1\]\.tims: unknown key/,
      )
      assert.match(yield* told('{ times: [1, "two"] }'), /times=two.*\n?.*two/)
      assert.match(yield* told("{ times: 3 }"), /steps\.loud\.matrix\.times: must be a list/)
      assert.match(yield* told("{ times: [] }"), /must be a list/)
      assert.match(yield* told("[1]"), /matrix: must be a map/)
      assert.match(yield* told("{ times: [1, 1] }"), /has 1 twice/)
      assert.match(yield* told("{ times: [1] }", "times: 2, "), /loud\.times has a value as well/)
      const cyclic = load(`name: p
steps:
  a: { use: test/shout, text: $b, matrix: { times: [1] } }
  b: { use: test/shout, text: $a, times: 1 }
`)
      assert.match((yield* Effect.flip(cyclic)).message, /circle/)
    }),
  )
})
