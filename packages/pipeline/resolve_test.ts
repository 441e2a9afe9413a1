import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { loadPipeline } from "./load.ts"
import { steps } from "./testing/steps.ts"
import { makeWorkplace } from "./testing/workplace.ts"

/** The problems of a pipeline text: tag, position, path and whole message with its hint. */
const problemsOf = Effect.fnUntraced(function* (text: string, set: ReadonlyArray<string> = []) {
  const { load, write } = yield* makeWorkplace
  yield* write("story.txt", "Once upon a time")
  const error = yield* Effect.flip(load(text, set))
  if (error._tag !== "InvalidPipeline") return yield* Effect.die(error)
  return error.problems.map((problem) => ({
    tag: problem._tag,
    line: problem.line,
    column: problem.column,
    at: problem.at,
    text: `${problem.message}\n${problem.hint}`,
  }))
})

const only = Effect.fnUntraced(function* (text: string, set: ReadonlyArray<string> = []) {
  const problems = yield* problemsOf(text, set)
  assert.lengthOf(problems, 1, JSON.stringify(problems))
  return problems[0]
})

layer(NodeServices.layer)("resolvePipeline", (it) => {
  it.effect("resolves a sound pipeline: defaults filled in, order by need", () =>
    Effect.gen(function* () {
      const { load, write, at } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      const pipeline = yield* load(`
name: sound
seed: 3
steps:
  size: { use: test/measure, text: $loud, other: $cut.tail }
  cut: { use: test/split, text: $loud }
  loud: { use: test/shout, text: $story }
  story: { use: test/read, path: story.txt }
  all: { use: test/table, rows: { Size: $size, Loud: $loud } }
  list: { use: test/table, rows: [$size, $loud.metrics], best: $size }
`)
      assert.deepStrictEqual(
        pipeline.steps.map(({ id }) => id),
        ["story", "loud", "cut", "size", "all", "list"],
      )
      assert.strictEqual(pipeline.seed, 3)
      const [story, loud] = pipeline.steps
      assert.deepStrictEqual(story.paths, { path: at("story.txt") })
      assert.deepStrictEqual(loud.config, { times: 1 })
      assert.deepStrictEqual(pipeline.steps[4].inputs.rows, [
        { name: "Size", step: "size", output: "metrics" },
        { name: "Loud", step: "loud", output: "metrics" },
      ])
      assert.deepStrictEqual(pipeline.steps[5].inputs.rows[1].name, "loud.metrics")
      const document = pipeline.document.steps as Record<string, unknown>
      assert.deepStrictEqual(document.loud, { use: "test/shout", text: "$story", times: 1 })
    }),
  )

  it.effect("unknown keys, with a did-you-mean and their place", () =>
    Effect.gen(function* () {
      const problem = yield* only(`name: a
steps:
  story: { use: test/read, path: story.txt, skp: 3 }
`)
      assert.strictEqual(problem.tag, "UnknownKey")
      assert.deepStrictEqual([problem.line, problem.column], [3, 45])
      assert.strictEqual(problem.at, "steps.story.skp")
      assert.match(problem.text, /did you mean "skip"\?/)
      const top = yield* only("name: a\nsede: 1\nsteps: { p: { use: test/paint } }\n")
      assert.match(top.text, /did you mean "seed"\?/)
    }),
  )

  it.effect("unknown steps", () =>
    Effect.gen(function* () {
      const problem = yield* only("name: a\nsteps: { p: { use: test/pianT } }\n")
      assert.strictEqual(problem.tag, "UnknownStep")
      assert.match(problem.text, /did you mean "test\/paint"\?/)
    }),
  )

  it.effect("unknown references, outputs that do not exist, ambiguous and outputless ones", () =>
    Effect.gen(function* () {
      const pipeline = (reference: string) => `name: a
steps:
  story: { use: test/read, path: story.txt }
  cut: { use: test/split, text: $story }
  size: { use: test/measure, text: $story }
  loud: { use: test/shout, text: ${reference} }
`
      const unknown = yield* only(pipeline("$stroy"))
      assert.strictEqual(unknown.tag, "UnknownReference")
      assert.match(unknown.text, /did you mean "story"\?/)
      assert.match(
        (yield* only(pipeline("$cut"))).text,
        /several outputs[^]*\$cut\.head, \$cut\.tail/,
      )
      assert.match((yield* only(pipeline("$cut.haed"))).text, /did you mean "\$cut\.head"\?/)
      assert.match((yield* only(pipeline("$size"))).text, /has metrics and no output/)
      assert.match((yield* only(pipeline("story"))).text, /takes a \$reference[^]*write \$story/)
      assert.match((yield* only(pipeline("7"))).text, /takes a \$reference to a Text, found 7/)
    }),
  )

  it.effect("types that do not fit, and inputs that are missing", () =>
    Effect.gen(function* () {
      const problem = yield* only(`name: a
steps:
  art: { use: test/paint }
  loud: { use: test/shout, text: $art }
`)
      assert.strictEqual(problem.tag, "TypeMismatch")
      assert.match(problem.text, /\$art is a Picture, and a Text is needed/)
      const metrics = yield* only(`name: a
steps:
  art: { use: test/paint }
  loud: { use: test/shout, text: $art.metrics }
`)
      assert.match(metrics.text, /is a Metrics, and a Text is needed/)
      const missing = yield* only("name: a\nsteps: { loud: { use: test/shout } }\n")
      assert.strictEqual(missing.at, "steps.loud.text")
      assert.match(missing.text, /is missing/)
    }),
  )

  it.effect("cycles are printed", () =>
    Effect.gen(function* () {
      const problem = yield* only(`name: a
steps:
  a: { use: test/shout, text: $c }
  b: { use: test/shout, text: $a }
  c: { use: test/shout, text: $b }
  d: { use: test/shout, text: $c }
`)
      assert.strictEqual(problem.tag, "PipelineCycle")
      assert.match(problem.text, /a → c → b → a/)
    }),
  )

  it.effect("configuration is refused by the field's own schema, missing keys are named", () =>
    Effect.gen(function* () {
      const problem = yield* only(`name: a
steps:
  story: { use: test/read, path: story.txt }
  loud:
    use: test/shout
    text: $story
    times: 12
`)
      assert.strictEqual(problem.tag, "InvalidValue")
      assert.deepStrictEqual([problem.line, problem.column], [7, 12])
      assert.match(problem.text, /steps\.loud\.times: Expected a value between 1 and 9, found 12/)
      const missing = yield* only("name: a\nsteps: { story: { use: test/read } }\n")
      assert.match(missing.text, /steps\.story\.path: is missing/)
    }),
  )

  it.effect("files that are missing, with the data folder's three places", () =>
    Effect.gen(function* () {
      const problem = yield* only("name: a\nsteps: { s: { use: test/read, path: stry.txt } }\n")
      assert.strictEqual(problem.tag, "InputFileMissing")
      assert.match(problem.text, /did you mean "story\.txt"\?/)
      const data = yield* only("name: a\nsteps: { s: { use: test/read, path: data:stry.txt } }\n")
      assert.strictEqual(data.tag, "DataFolderMissing")
      assert.match(data.text, /--data[^]*ESPALIER_DATA[^]*beside the workspace/)
    }),
  )

  it.effect(
    "data: is the flag's folder, else the variable's, else the one beside the workspace",
    () =>
      Effect.gen(function* () {
        const { at, write, fileSystem } = yield* makeWorkplace
        for (const folder of ["one", "two", "shared/data", "workspace"]) {
          yield* fileSystem.makeDirectory(at(folder), { recursive: true })
          yield* write(`${folder}/s.txt`, folder)
        }
        yield* write("p.yaml", "name: a\nsteps: { s: { use: test/read, path: data:s.txt } }\n")
        const pathWith = (data: Parameters<typeof loadPipeline>[1]["data"]) =>
          Effect.map(
            loadPipeline(at("p.yaml"), { steps, ...(data === undefined ? {} : { data }) }),
            (pipeline) => pipeline.steps[0].paths.path,
          )
        const workspace = at("workspace")
        assert.strictEqual(yield* pathWith({ workspace }), at("shared/data/s.txt"))
        assert.strictEqual(yield* pathWith({ workspace, environment: at("two") }), at("two/s.txt"))
        const all = { workspace, environment: at("two"), flag: at("one") }
        assert.strictEqual(yield* pathWith(all), at("one/s.txt"))
        const error = yield* Effect.flip(pathWith({ ...all, flag: at("none") }))
        assert.match(error.message, /--data \(.*none is not a folder\)/)
      }),
  )

  it.effect("tells everything that is wrong at once", () =>
    Effect.gen(function* () {
      const problems = yield* problemsOf(`nome: a
seed: -1
steps:
  1st: { use: test/paint }
  loud: { use: test/shout, text: $nobody, times: 99, colour: red }
  none: {}
`)
      assert.deepStrictEqual(problems.map(({ tag, at }) => `${tag} ${at}`).toSorted(), [
        "InvalidValue name",
        "InvalidValue seed",
        "InvalidValue steps.1st",
        "InvalidValue steps.loud.times",
        "InvalidValue steps.none",
        "UnknownKey nome",
        "UnknownKey steps.loud.colour",
        "UnknownReference steps.loud.text",
      ])
    }),
  )

  it.effect("text that is no YAML, no map, or not there", () =>
    Effect.gen(function* () {
      const syntax = yield* only("name: a\nsteps: { story: { use: test/read\n")
      assert.strictEqual(syntax.tag, "PipelineSyntaxError")
      assert.isAtLeast(syntax.line ?? 0, 2)
      const twice = yield* only("name: a\nname: b\nsteps: { p: { use: test/paint } }\n")
      assert.match(twice.text, /unique/i)
      assert.match((yield* only("- a\n- b\n")).text, /a pipeline is a map/)
      assert.match((yield* only("name: a\n")).text, /steps: is missing/)
      const error = yield* Effect.flip(loadPipeline("/nowhere/p.yaml", { steps }))
      assert.strictEqual(error._tag, "PipelineFileMissing")
    }),
  )

  it.effect("a module with the same document is the same pipeline", () =>
    Effect.gen(function* () {
      const { at, load, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      const yaml = yield* load(
        "name: a\nseed: 2\nsteps: { s: { use: test/read, path: story.txt } }\n",
      )
      yield* write(
        "p.ts",
        `const name: string = "a"
export default { name, seed: 2, steps: { s: { use: "test/read", path: "story.txt" } } }\n`,
      )
      const module = yield* loadPipeline(at("p.ts"), { steps })
      assert.deepStrictEqual(module.document, yaml.document)
      yield* write("bad.ts", "export const name = 1\n")
      const bad = yield* Effect.flip(loadPipeline(at("bad.ts"), { steps }))
      assert.match(bad.message, /no default export/)
      yield* write("broken.ts", "throw new Error('oh')\n")
      const broken = yield* Effect.flip(loadPipeline(at("broken.ts"), { steps }))
      assert.match(broken.message, /does not load: oh/)
    }),
  )

  it.effect("--set replaces values, and its mistakes are told as such", () =>
    Effect.gen(function* () {
      const { load, write } = yield* makeWorkplace
      yield* write("story.txt", "Once")
      const text = `name: a
steps:
  story: { use: test/read, path: story.txt }
  loud: { use: test/shout, text: $story }
`
      const pipeline = yield* load(text, ["steps.loud.times=3", "seed=9"])
      assert.deepStrictEqual(pipeline.steps[1].config, { times: 3 })
      assert.strictEqual(pipeline.seed, 9)
      const typo = yield* only(text, ["steps.loud.tims=3"])
      assert.match(
        typo.text,
        /^--set steps\.loud\.tims=3: .*unknown key "tims"\ndid you mean "times"/,
      )
      const value = yield* only(text, ["steps.loud.times=0"])
      assert.match(value.text, /^--set steps\.loud\.times=0: .*between 1 and 9, found 0/)
      for (const [override, says] of [
        ["steps.lod.times=3", /there is no step "lod"/],
        ["steps.loud=3", /names no key of a step/],
        ["steps.loud.times", /not PATH=VALUE/],
        ["=3", /not PATH=VALUE/],
        ["steps.loud.times=[1", /not YAML/],
        ["name.first=x", /holds no keys/],
      ] as const) {
        const error = yield* Effect.flip(load(text, [override]))
        assert.strictEqual(error._tag, "InvalidOverride", override)
        assert.match(error.message, says)
      }
      const hint = yield* Effect.flip(load(text, ["steps.lod.times=3"]))
      assert.match("hint" in hint ? hint.hint : "", /did you mean "loud"/)
    }),
  )
})
