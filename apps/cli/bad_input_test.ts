import { assert, describe, it } from "@effect/vitest"
import { encodeLlama2c, encodeTokenizer, makeWordTokenizer } from "@espalier/models"
import type { RunRecord } from "@espalier/pipeline"
import { Result } from "effect"
import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync } from "node:fs"
import { assertFriendly, makeFolder } from "./testing/espalier.ts"
import { makeTinyModel, tinyStories, writeModel } from "./testing/tiny_model.ts"

type Place = ReturnType<typeof makeFolder>

const inFolder = (test: (place: Place) => Promise<void>) => async () => {
  const place = makeFolder("real")
  try {
    await test(place)
  } finally {
    place.remove()
  }
}

const documentOf = (out: string) => JSON.parse(out) as RunRecord

/** A step that cannot succeed, the error it ends with, and what the error says. */
const refused: Readonly<Record<string, readonly [step: string, tag: string, says: RegExp]>> = {
  truncated: [
    "use: model/load, path: truncated.bin, tokenizer: words.json",
    "CheckpointFormatError",
    /truncated\.bin: expected \d+ bytes.*found \d+/,
  ],
  foreign: [
    "use: model/load, path: story.txt, tokenizer: words.json",
    "CheckpointFormatError",
    /story\.txt: expected a llama2\.c checkpoint/,
  ],
  "not-a-model": [
    "use: model/load, path: empty",
    "CheckpointFormatError",
    /empty: expected a file config\.json/,
  ],
  "other-tokenizer": [
    "use: model/load, path: model, tokenizer: words.json",
    "TokenizerMismatch",
    /words\.json: the tokenizer has 5 tokens, the model \d+/,
  ],
  "no-tokenizer": [
    "use: model/load, path: whole.bin",
    "CheckpointFormatError",
    /whole\.bin: expected a tokenizer/,
  ],
  "foreign-tokenizer": [
    "use: model/load, path: model, tokenizer: story.txt",
    "TokenizerFormatError",
    /story\.txt: expected/,
  ],
  nothing: ["use: text/load, path: blank.txt", "EmptyText", /blank\.txt: the text is empty/],
  "not-json": [
    "use: text/load, path: broken.jsonl, field: text",
    "TextFormatError",
    /broken\.jsonl:2: not JSON/,
  ],
  folder: ["use: text/load, path: model", "InputFileUnreadable", /model: it is a folder/],
  "long-window": [
    "use: model/perplexity, model: $model, text: $text, window: 64",
    "WindowTooLong",
    /window of 64 tokens is longer than the model's context of 32/,
  ],
  "short-text": [
    "use: model/perplexity, model: $model, text: $word, window: 32",
    "TextTooShort",
    /text has 2 tokens, fewer than one window of 32/,
  ],
  uneven: [
    'use: prune/magnitude, model: $model, sparsity: "4:8"',
    "SparsityWidthMismatch",
    /blocks\.0\.down has 172 inputs, which 4:8 does not divide/,
  ],
  "uneven-wanda": [
    'use: prune/wanda, model: $model, calibration: $text, sparsity: "4:8", window: 32',
    "SparsityWidthMismatch",
    /blocks\.0\.down has 172 inputs, which 4:8 does not divide/,
  ],
  "odd-heads": [
    "use: model/train, text: $text, dimension: 8, hiddenDimension: 8, layers: 1, heads: 3, keyValueHeads: 1, contextLength: 8, window: 8, steps: 1",
    "InvalidModelConfig",
    /heads must be/,
  ],
  "long-training-window": [
    "use: model/train, text: $text, dimension: 8, hiddenDimension: 8, layers: 1, heads: 2, keyValueHeads: 1, contextLength: 8, window: 16, steps: 1",
    "WindowTooLong",
    /window of 16 tokens is longer than the model's context of 8/,
  ],
  "high-floor": [
    "use: text/story-floor, text: $word, window: 32",
    "TextTooShort",
    /text has 2 tokens/,
  ],
  "no-such-metric": [
    "use: report/table, rows: [$text], columns: [perplexty]",
    "MetricMissing",
    /none of the rows has a metric "perplexty"/,
  ],
}

const sound = `name: p
steps:
  model: { use: model/load, path: model }
  text: { use: text/load, path: stories.jsonl }
  word: { use: text/load, path: word.txt }
`

const writeInputs = (place: Place) => {
  const tiny = makeTinyModel({ hiddenDimension: 172 })
  writeModel(place.at("model"), tiny)
  const { config, parameters } = tiny.model
  const checkpoint = Result.getOrThrow(encodeLlama2c(config, parameters))
  place.write("whole.bin", checkpoint)
  place.write("truncated.bin", checkpoint.slice(0, checkpoint.length / 2))
  place.write("words.json", encodeTokenizer(makeWordTokenizer(["a", "b"])))
  place.write("story.txt", "Once upon a time there was a checkpoint that was none. ".repeat(20))
  place.write("blank.txt", " \n\n")
  place.write("word.txt", "Mia")
  place.write("stories.jsonl", tinyStories.map((text) => JSON.stringify(text)).join("\n"))
  place.write("broken.jsonl", '{"text":"fine"}\n{"text":\n')
  mkdirSync(place.at("empty"))
}

describe.concurrent("input that a step refuses", () => {
  it(
    "is exit code 2, each with what is wrong and what to do, and the rest is computed and kept",
    inFolder(async (place) => {
      writeInputs(place)
      const steps = Object.entries(refused).map(([id, [step]]) => `  ${id}: { ${step} }\n`)
      place.write("p.yaml", sound + steps.join(""))
      const run = () => place.espalier(["run", "p.yaml", "--json", "--store", place.at("store")])
      const { code, out, error } = await run()
      // 2 only if every one of them counts as bad input.
      assert.strictEqual(code, 2, error)
      assertFriendly(error)
      const document = documentOf(out)
      for (const [id, [, tag, says]] of Object.entries(refused)) {
        const { status, error: told } = document.steps[id]
        assert.deepStrictEqual([id, status, told?.tag], [id, "failed", tag])
        assert.match(told?.message ?? "", says)
        assert.isString(told?.hint)
        assert.notInclude(told?.message ?? "", told?.hint ?? "", "the hint is told once")
        assert.include(error, `error: step ${id}: ${told?.message}`)
      }
      // One for each step, and one for the run.
      assert.strictEqual(error.match(/^hint: \S/gm)?.length, Object.keys(refused).length + 1)
      const again = documentOf((await run()).out)
      for (const id of ["model", "text", "word"]) {
        assert.deepStrictEqual(
          [document.steps[id].status, again.steps[id].status],
          ["done", "cached"],
        )
      }
    }),
  )

  it(
    "is told apart from what fails in computing: weights that overflow are exit code 1",
    inFolder(async (place) => {
      writeInputs(place)
      const broken = makeTinyModel()
      broken.model.parameters.norm.data.fill(3e38)
      writeModel(place.at("broken"), broken)
      place.write(
        "p.yaml",
        `${sound}  broken: { use: model/load, path: broken }
  overflow: { use: model/perplexity, model: $broken, text: $text, window: 32 }
  nothing: { use: text/load, path: blank.txt }
`,
      )
      const { code, out, error } = await place.espalier(["run", "p.yaml", "--json"])
      assert.strictEqual(code, 1, error)
      assert.strictEqual(documentOf(out).steps.overflow.error?.tag, "NonFinite")
      assertFriendly(error)
    }),
  )
})

describe.concurrent("input that is refused before anything runs", () => {
  it(
    "unknown steps, keys and references, and sparsities that are none, all at once",
    inFolder(async (place) => {
      writeInputs(place)
      place.write(
        "p.yaml",
        `${sound}  much: { use: prune/magnitude, model: $model, sparsity: 1.5 }
  more: { use: prune/magnitude, model: $model, sparsity: "5:4" }
  step: { use: prune/wnada, model: $model, sparsity: 0.5 }
  key: { use: prune/magnitude, model: $model, sparcity: 0.5 }
  reference: { use: prune/magnitude, model: $modle, sparsity: 0.5 }
  missing: { use: model/load, path: modell }
`,
      )
      const { code, out, error } = await place.espalier(["run", "p.yaml", "--json"])
      assert.strictEqual(code, 2)
      assert.strictEqual(out, "")
      assertFriendly(error)
      for (const says of [
        /steps\.much\.sparsity: .*, found 1\.5/,
        /steps\.more\.sparsity: .*"5:4"/,
        /unknown step "prune\/wnada"\nhint: did you mean "prune\/wanda"/,
        /unknown key "sparcity"\nhint: did you mean "sparsity"/,
        /\$modle: there is no such step\nhint: did you mean "model"/,
        /there is no file or folder .*modell.*\nhint: did you mean "model"/,
      ]) {
        assert.match(error, says)
      }
    }),
  )

  it(
    "a cycle",
    inFolder(async (place) => {
      place.write(
        "p.yaml",
        `name: p
steps:
  a: { use: prune/magnitude, model: $b, sparsity: 0.5 }
  b: { use: prune/magnitude, model: $a, sparsity: 0.5 }
`,
      )
      const { code, error } = await place.espalier(["run", "p.yaml"])
      assert.strictEqual(code, 2)
      assertFriendly(error)
      assert.match(error, /in a circle: a → b → a/)
    }),
  )
})

describe.concurrent("generate refuses", () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    [
      "a model that is not there",
      ["--model", "modell"],
      /^error: --model modell: there is no file or folder .*modell.*\nhint: did you mean "model"/m,
    ],
    [
      "a tokenizer of another model",
      ["--model", "model", "--tokenizer", "words.json"],
      /words\.json: the tokenizer has 5 tokens/,
    ],
    [
      "a context longer than the model's",
      ["--model", "model", "--prompt", "Mia", "--max-context", "33"],
      /^error: .*33.*32\nhint: .*32/m,
    ],
    [
      "a data folder that is not there",
      ["--model", "data:model", "--data", "nowhere"],
      /--model data:model: no data folder; looked for: --data .*nowhere/,
    ],
  ]
  for (const [name, args, says] of cases) {
    it(
      `${name}: exit code 2`,
      inFolder(async (place) => {
        writeInputs(place)
        const { code, out, error } = await place.espalier(["generate", ...args])
        assert.strictEqual(code, 2, error)
        assert.strictEqual(out, "")
        assertFriendly(error)
        assert.match(error, says)
      }),
    )
  }
})

describe.concurrent("Ctrl-C in the middle of training", () => {
  it(
    "is exit code 130 and leaves nothing half written; the next run goes on",
    inFolder(async (place) => {
      place.write(
        "p.yaml",
        `name: p
steps:
  text: { use: text/stories, part: training, stories: 200 }
  model: { use: model/train, text: $text, dimension: 32, hiddenDimension: 64, layers: 2, heads: 4, keyValueHeads: 2, contextLength: 32, window: 32, batch: 4, steps: 50000 }
`,
      )
      const args = ["run", "p.yaml", "--json", "--store", place.at("store")]
      let waiting = false
      const { code, out, error } = await place.espalier(args, {
        onError: (text, signal) => {
          if (waiting || !text.includes("model (model/train)")) return
          waiting = true
          setTimeout(() => signal("SIGINT"), 1500)
        },
      })
      assert.strictEqual(code, 130, error)
      assert.match(error, /interrupted: what is done is kept; run again to go on/)
      assert.strictEqual(documentOf(out).status, "interrupted")
      assert.strictEqual(documentOf(out).steps.model.status, "skipped")
      assert.deepStrictEqual(readdirSync(place.at("store/temporary")), [])
      for (const folder of readdirSync(place.at("store/objects"))) {
        for (const name of readdirSync(place.at("store/objects", folder))) {
          const content = readFileSync(place.at("store/objects", folder, name))
          const hash = createHash("sha256").update(content).digest("hex")
          assert.strictEqual(folder + name, hash)
        }
      }
      const next = await place.espalier([...args, "--set", "steps.model.steps=2"])
      assert.strictEqual(next.code, 0, next.error)
      const { steps } = documentOf(next.out)
      assert.deepStrictEqual([steps.text.status, steps.model.status], ["cached", "done"])
    }),
  )
})
