import { assert, describe, it } from "@effect/vitest"
import type { RunRecord } from "@espalier/pipeline"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { assertFriendly, type Ended, makeFolder } from "../testing/espalier.ts"

type Place = ReturnType<typeof makeFolder> & {
  readonly run: (...args: ReadonlyArray<string>) => Promise<Ended>
}

/** A test in a folder of its own, so that tests may run side by side. */
const inFolder = (test: (place: Place) => Promise<void>) => async () => {
  const folder = makeFolder()
  const run = (...args: ReadonlyArray<string>) =>
    folder.espalier(["run", ...args, "--store", folder.at("store")])
  try {
    await test({ ...folder, run })
  } finally {
    folder.remove()
  }
}

const documentOf = (out: string) => JSON.parse(out) as RunRecord

describe.concurrent("espalier run", () => {
  it(
    "prints progress on standard error, a table and the place of the results on standard output",
    inFolder(async (place) => {
      place.write("p.yaml", "name: p\nsteps: { n: { use: test/count, end: 21 } }\n")
      const { code, out, error } = await place.run("p.yaml")
      assert.strictEqual(code, 0)
      assert.match(out, /^step +status +seconds +measured\n─/)
      assert.match(out, /\nn +done +\d\.\d +perplexity 3, sparsity 0\.50000\n/)
      const folder = /results: (.*)\n/.exec(out)?.[1] ?? ""
      assert.deepStrictEqual(readdirSync(folder).toSorted(), [
        "events.jsonl",
        "manifest.json",
        "results.json",
        "run.json",
      ])
      assert.match(error, /\[1\/1\] n \(test\/count\): never run\n/)
      assert.match(error, /note: n: asked for 7 windows, there are 3/)
      assert.match(error, /done in .* \(on the host: LinearAlgebra\)/)
      assert.isFalse(error.includes("\u001b") || error.includes("\r"))
    }),
  )

  it(
    "--json prints exactly one document; the second run is from the cache",
    inFolder(async (place) => {
      place.write("p.yaml", "name: p\nsteps: { n: { use: test/count, end: 7 } }\n")
      const first = await place.run("p.yaml", "--json")
      const second = await place.run("p.yaml", "--json", "--out", "results")
      assert.deepStrictEqual([first.code, second.code], [0, 0])
      const document = documentOf(second.out)
      assert.strictEqual(documentOf(first.out).steps.n.status, "done")
      assert.strictEqual(document.steps.n.status, "cached")
      assert.deepStrictEqual(document.steps.n.metrics, {
        perplexity: 1,
        sparsity: { overall: 0.5, layers: {} },
      })
      assert.deepStrictEqual(document.steps.n.hostFallbacks, ["LinearAlgebra"])
      assert.deepStrictEqual(document.device, {
        kind: "wasm",
        adapter: "none",
        software: true,
        dispatches: 0,
      })
      assert.strictEqual(document.status, "done")
      assert.strictEqual(document.name, "p")
      assert.deepStrictEqual(
        JSON.parse(readFileSync(place.at("results/results.json"), "utf8")),
        document,
      )
      assert.isTrue(existsSync(place.at("results/n/text/documents.jsonl")))
      assert.match(second.error, /from the cache/)
    }),
  )

  it(
    "a failed step: exit 1, the others go on, errors with hints, bugs in one line",
    inFolder(async (place) => {
      place.write(
        "p.yaml",
        `name: p
steps:
  milk: { use: test/spoil }
  porridge: { use: test/count, end: 1, text: $milk }
  broken: { use: test/bug }
  fine: { use: test/count, end: 2 }
`,
      )
      const { code, out, error } = await place.run("p.yaml", "--json")
      assert.strictEqual(code, 1)
      const document = documentOf(out)
      assert.strictEqual(document.status, "failed")
      assert.deepStrictEqual(
        Object.values(document.steps).map((step) => step.status),
        ["failed", "skipped", "failed", "done"],
      )
      assert.deepStrictEqual(document.steps.milk.error, {
        tag: "Spoiled",
        message: "the milk is spoiled",
        hint: "buy fresh milk",
      })
      assertFriendly(error)
      assert.match(error, /error: step milk: the milk is spoiled\nhint: buy fresh milk\n/)
      assert.match(
        error,
        /error: step broken: unexpected TypeError: undefined is not a function\nhint: this is a bug/,
      )
      const debug = await place.espalier(["run", "p.yaml", "--store", place.at("store")], {
        env: { ESPALIER_DEBUG: "1" },
      })
      assert.match(debug.error, /^\s+at .*cli_steps\.ts/m)
    }),
  )

  it(
    "Ctrl-C: exit 130, one document, nothing half written, and the next run goes on",
    inFolder(async (place) => {
      place.write(
        "p.yaml",
        `name: p
steps:
  quick: { use: test/count, end: 1 }
  slow: { use: test/count, end: 500, milliseconds: 20 }
`,
      )
      let sent = false
      const { code, out, error } = await place.espalier(
        ["run", "p.yaml", "--json", "--store", place.at("store")],
        {
          onError: (text, signal) => {
            if (sent || !text.includes("slow (test/count)")) return
            sent = true
            signal("SIGINT")
          },
        },
      )
      assert.strictEqual(code, 130)
      const document = documentOf(out)
      assert.strictEqual(document.status, "interrupted")
      assert.deepStrictEqual(
        Object.values(document.steps).map((step) => step.status),
        ["done", "skipped"],
      )
      assert.match(error, /interrupted/)
      assert.deepStrictEqual(readdirSync(place.at("store/temporary")), [])
      const next = await place.run("p.yaml", "--json", "--set", "steps.slow.milliseconds=0")
      assert.strictEqual(next.code, 0)
      assert.strictEqual(documentOf(next.out).steps.quick.status, "cached")
    }),
  )
})

describe.concurrent("bad input ends with exit code 2, nothing on standard output, and what to do", () => {
  const good = "name: p\nsteps: { n: { use: test/count, end: 3 } }\n"
  const cases: ReadonlyArray<readonly [string, string, ReadonlyArray<string>, RegExp]> = [
    ["a missing file", good, ["nowhere.yaml"], /cannot read the pipeline file nowhere\.yaml/],
    [
      "a misspelt key",
      good.replace("end", "edn"),
      ["p.yaml"],
      /p\.yaml:2:32: .*unknown key "edn"\nhint: did you mean "end"/,
    ],
    [
      "a misspelt step",
      good.replace("count", "cuont"),
      ["p.yaml"],
      /unknown step[^]*did you mean "test\/count"/,
    ],
    [
      "a value out of range",
      good.replace("3", "-3"),
      ["p.yaml"],
      /steps\.n\.end: Expected a value between 0 and 10000, found -3/,
    ],
    [
      "an unknown reference",
      good.replace("3", "3, text: $x"),
      ["p.yaml"],
      /\$x: there is no such step/,
    ],
    ["a cycle", good.replace("3", "3, text: $n"), ["p.yaml"], /in a circle: n → n/],
    [
      "a bad override",
      good,
      ["p.yaml", "--set", "steps.m.end=1"],
      /--set steps\.m\.end=1: there is no step "m"/,
    ],
    ["an unknown flag", good, ["p.yaml", "--jsno"], /--jsno[^]*did you mean --json/],
    ["an unknown device", good, ["p.yaml", "--device", "gpu"], /--device/],
    [
      "an unwritable output folder",
      good,
      ["p.yaml", "--out", "p.yaml/out"],
      /cannot write to the output folder p\.yaml\/out/,
    ],
    [
      "an input file that is missing",
      "name: p\nsteps: { t: { use: text/load, path: t.txt } }\n",
      ["p.yaml"],
      /there is no file or folder .*t\.txt/,
    ],
    [
      "a data folder that is missing",
      "name: p\nsteps: { t: { use: text/load, path: data:t.txt } }\n",
      ["p.yaml", "--data", "none"],
      /no data folder; looked for: --data .*; ESPALIER_DATA .*; the default/,
    ],
  ]
  for (const [name, text, args, says] of cases) {
    it(
      `refuses ${name}`,
      inFolder(async (place) => {
        place.write("p.yaml", text)
        const { code, out, error } = await place.run(...args, "--json")
        assert.strictEqual(code, 2, error)
        assert.strictEqual(out, "")
        assertFriendly(error)
        assert.match(error, says)
      }),
    )
  }

  it(
    "a store that cannot be opened",
    inFolder(async (place) => {
      place.write("p.yaml", good)
      const { code, error } = await place.espalier(["run", "p.yaml", "--store", "p.yaml/s"])
      assert.strictEqual(code, 2)
      assertFriendly(error)
    }),
  )
})

describe.concurrent("other commands", () => {
  it(
    "no such device: exit 3",
    inFolder(async (place) => {
      place.write("p.yaml", "name: p\nsteps: { n: { use: test/count, end: 3 } }\n")
      const { code, out, error } = await place.run("p.yaml", "--device", "webgpu", "--json")
      assert.strictEqual(code, 3)
      assert.strictEqual(out, "")
      assertFriendly(error)
      assert.match(error, /no webgpu device: no adapter was found/)
    }),
  )

  it(
    "empty text fails its step and is bad input; --data passes through",
    inFolder(async (place) => {
      place.write("t.txt", " \n")
      place.write("p.yaml", "name: p\nsteps: { t: { use: text/load, path: data:t.txt } }\n")
      const { code, out, error } = await place.run("p.yaml", "--data", ".", "--json")
      assert.strictEqual(code, 2)
      assert.strictEqual(documentOf(out).steps.t.error?.tag, "EmptyText")
      assert.match(error, /the text is empty/)
    }),
  )

  it(
    "a pipeline in TypeScript is the same document",
    inFolder(async (place) => {
      place.write(
        "p.ts",
        `const ends: ReadonlyArray<number> = [7, 14]
export default {
  name: "typed",
  steps: Object.fromEntries(ends.map((end) => [\`n\${end}\`, { use: "test/count", end }])),
}
`,
      )
      const { code, out } = await place.run("p.ts", "--json")
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(Object.keys(documentOf(out).steps), ["n7", "n14"])
      place.write("wrong.ts", 'export default { name: "typed", stpes: {} }\n')
      const wrong = await place.run("wrong.ts")
      assert.strictEqual(wrong.code, 2)
      assertFriendly(wrong.error)
      assert.match(wrong.error, /did you mean "steps"/)
    }),
  )

  it(
    "plan says hit or miss and why, and runs nothing",
    inFolder(async (place) => {
      place.write("p.yaml", "name: p\nsteps: { n: { use: test/count, end: 3 } }\n")
      const plan = (...args: ReadonlyArray<string>) =>
        place.espalier(["plan", "p.yaml", "--store", place.at("store"), ...args])
      assert.match((await plan()).out, /n +test\/count +miss +never run/)
      await place.run("p.yaml")
      assert.match((await plan()).out, /n +test\/count +hit\n/)
      const changed = await plan("--set", "steps.n.end=4", "--json")
      const document = JSON.parse(changed.out) as { steps: { n: { reasons: unknown } } }
      assert.deepStrictEqual(document.steps.n.reasons, ["config.end changed 3 → 4"])
    }),
  )

  it(
    "steps lists keys with their types and defaults; help and version go to standard output",
    inFolder(async (place) => {
      const steps = await place.espalier(["steps"])
      assert.match(
        steps.out,
        /test\/count: Counts slowly\.\n {2}text +\$Text, optional\n {2}end +whole number from 0 to 10000\n {2}milliseconds +whole number, default 0\n/,
      )
      const help = await place.espalier(["run", "--help"])
      assert.deepStrictEqual([help.code, help.error], [0, ""])
      assert.match(help.out, /--device/)
      const version = await place.espalier(["--version"])
      assert.match(version.out, /^espalier \d+\.\d+\.\d+\n$/)
      const unknown = await place.espalier(["rnu"])
      assert.deepStrictEqual([unknown.code, unknown.out], [2, ""])
      assertFriendly(unknown.error)
    }),
  )
})
