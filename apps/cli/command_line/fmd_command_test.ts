import { assert, describe, it } from "@effect/vitest"
import { formatInstruction, formatOutput } from "@espalier/misinformation"
import { startModelServer } from "@espalier/testing"
import { existsSync, readFileSync } from "node:fs"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"

type Place = ReturnType<typeof makeFolder>

const verdicts = {
  True: "Records confirm that this is correct.",
  False: "The photograph is fake and the story a hoax.",
  NEI: "It remains unclear what happened.",
}
const labels = ["True", "False", "NEI"] as const
const nouns = ["bridge", "tax", "park", "debt", "school", "river", "shark", "pension"]

/** Items whose label and explanation are one sentence of their context. */
const items = Array.from({ length: 36 }, (_, i) => {
  const label = labels[i % 3]
  const noun = nouns[(i * 5) % nouns.length]
  const claim = `Claim number ${i * 17} about the ${noun} of ${i + 1900}`
  const context = `The ${noun} ${i * 31} was talked about for ${i + 2} days. ${verdicts[label]} Then ${i * 7} people left.`
  return { claim, context, label, explanation: verdicts[label] }
})

const lineOf = ({ claim, context, label, explanation }: (typeof items)[number]) =>
  JSON.stringify({
    instruction: formatInstruction({ claim, context }),
    input: "",
    output: formatOutput(label, explanation),
  })

const gold = items.map(lineOf)

const inPlace = (use: (place: Place) => Promise<void>) => async () => {
  const place = makeFolder("real")
  try {
    place.write("gold.json", `${gold.join("\n")}\n`)
    await use(place)
  } finally {
    place.remove()
  }
}

const score = ["fmd", "score", "--gold", "gold.json", "--predictions"]

describe.concurrent("espalier fmd score", () => {
  it(
    "prints one document with the challenge's figures",
    inPlace(async (place) => {
      const given = gold.map((line, i) => {
        const { instruction, output } = JSON.parse(line)
        const answer = i === 0 ? "No idea" : output
        return JSON.stringify({
          output: i % 2 === 0 ? answer : `Human: ${instruction}\nAssistant: ${answer}`,
        })
      })
      place.write("given.jsonl", given.join("\n"))
      const { code, out, error } = await place.espalier([...score, "given.jsonl", "--json"])
      assert.strictEqual(code, 0, error)
      const right = 35 / 36
      assert.deepEqual(JSON.parse(out), {
        accuracy: right,
        microF1: right,
        rouge1: right,
        rouge2: right,
        rougeL: right,
        overall: right,
        items: 36,
        unparsable: 1,
      })
      const told = await place.espalier([...score, "given.jsonl"])
      assert.match(told.out, /BERTScore.* is not computed/)
    }),
  )

  it(
    "names what is wrong with the files, and keeps the rest where that is asked for",
    { timeout: 120_000 },
    inPlace(async (place) => {
      const cases: ReadonlyArray<readonly [lines: ReadonlyArray<string>, says: RegExp]> = [
        [gold.with(4, '{"output": "Predic'), /given\.jsonl:5: not JSON/],
        [
          gold.with(4, '{"outputs": "x"}'),
          /:5: there is no field "output"[^]*Did you mean "output" by "outputs"/,
        ],
        [gold.slice(1), /given\.jsonl has 35 lines, .*gold\.json has 36/],
        [[], /given\.jsonl: there is no line in it/],
      ]
      for (const [lines, says] of cases) {
        place.write("given.jsonl", lines.join("\n"))
        const { code, out, error } = await place.espalier([...score, "given.jsonl", "--json"])
        assert.strictEqual(code, 2, error)
        assert.strictEqual(out, "")
        assertFriendly(error)
        assert.match(error, says)
      }
      place.write("given.jsonl", gold.with(4, "{").join("\n"))
      const kept = await place.espalier([...score, "given.jsonl", "--json", "--skip-broken"])
      assert.strictEqual(kept.code, 0, kept.error)
      assert.match(kept.error, /note: left out .*given\.jsonl:5: not JSON/)
      const { items: counted, skipped, overall } = JSON.parse(kept.out)
      assert.deepEqual([counted, skipped, overall], [35, 1, 1])
      const typo = gold.with(7, gold[7].replace("Prediction: False.", "Prediction: Flase."))
      place.write("given.jsonl", gold.join("\n"))
      place.write("gold.json", typo.join("\n"))
      const wrong = await place.espalier([...score, "given.jsonl"])
      assert.strictEqual(wrong.code, 2)
      assert.match(wrong.error, /gold\.json:8: "Flase" is no label\nhint: Did you mean "False"/)
      const missing = await place.espalier([...score, "nowhere.jsonl"])
      assert.strictEqual(missing.code, 2)
      assertFriendly(missing.error)
    }),
  )
})

describe("espalier fmd train and predict", () => {
  it(
    "learns, predicts in the challenge's format, and goes on after a kill",
    { timeout: 240_000 },
    inPlace(async (place) => {
      const train = ["fmd", "train", "gold.json", "--out", "model", "--device", "wasm"]
      const quick = ["--steps", "40", "--inner-folds", "2", "--json"]
      const trained = await place.espalier([...train, ...quick])
      assert.strictEqual(trained.code, 0, trained.error)
      assert.strictEqual(JSON.parse(trained.out).items, 36)
      const again = await place.espalier([...train, ...quick])
      assert.strictEqual(again.code, 2)
      assertFriendly(again.error)

      const predict = ["fmd", "predict", "gold.json", "--detector", "model", "--out"]
      const whole = await place.espalier([...predict, "whole.jsonl", "--json"])
      assert.strictEqual(whole.code, 0, whole.error)
      assert.deepEqual(JSON.parse(whole.out), {
        out: "whole.jsonl",
        agent: "embedded",
        complete: true,
        items: 36,
        resumed: 0,
      })
      const scored = await place.espalier([...score, "whole.jsonl", "--json"])
      assert.isAbove(JSON.parse(scored.out).overall, 0.9)
      for (const [i, line] of readFileSync(place.at("whole.jsonl"), "utf8")
        .trim()
        .split("\n")
        .entries()) {
        const { output, evidence } = JSON.parse(line)
        for (const { start, end } of evidence) {
          assert.include(output, items[i].context.slice(start, end))
        }
      }

      const partial = place.at("killed.jsonl.partial", "predictions.jsonl")
      const written = () => existsSync(partial) && readFileSync(partial).length > 500
      const killed = await place.espalier([...predict, "killed.jsonl"], { killWhen: written })
      const resumed = await place.espalier([...predict, "killed.jsonl", "--json"])
      if (killed.code === 0) assert.strictEqual(resumed.code, 2)
      else assert.strictEqual(resumed.code, 0, resumed.error)
      assert.deepEqual(
        readFileSync(place.at("killed.jsonl")),
        readFileSync(place.at("whole.jsonl")),
      )
      assert.isFalse(existsSync(place.at("killed.jsonl.partial")))
    }),
  )

  it(
    "keeps the explanation to a budget of words",
    { timeout: 120_000 },
    inPlace(async (place) => {
      const train = ["fmd", "train", "gold.json", "--out", "model", "--device", "wasm"]
      await place.espalier([...train, "--steps", "20", "--inner-folds", "0"])
      const predict = ["fmd", "predict", "gold.json", "--detector", "model", "--words", "9"]
      const { code, error } = await place.espalier([...predict, "--out", "short.jsonl"])
      assert.strictEqual(code, 0, error)
      for (const line of readFileSync(place.at("short.jsonl"), "utf8").trim().split("\n")) {
        const { output, evidence } = JSON.parse(line)
        const words = output.split("Explanation: ")[1].split(/\s+/).length
        assert.isTrue(words <= 9 || evidence.length === 1)
      }
    }),
  )

  it(
    "says who is missing, and which folder is none",
    inPlace(async (place) => {
      const predict = ["fmd", "predict", "gold.json", "--out", "x.jsonl"]
      for (const [args, says] of [
        [[], /there is nobody to ask/],
        [["--detector", "."], /detector\.json: there is no such file/],
        [["--agent", "llm"], /no provider was named/],
      ] as const) {
        const { code, error } = await place.espalier([...predict, ...args])
        assert.strictEqual(code, 2, error)
        assertFriendly(error)
        assert.match(error, says)
      }
      place.write(
        "empty.json",
        gold[0].replace(/contextual information: [^"]*"/, 'contextual information: "'),
      )
      const train = await place.espalier(["fmd", "train", "empty.json", "--out", "model"])
      assert.strictEqual(train.code, 2)
      assert.match(train.error, /empty\.json:1: the context is empty/)
    }),
  )
})

describe("espalier fmd predict --provider", () => {
  const answer = JSON.stringify({
    prediction: "False",
    explanation: "The photograph is fake.",
    evidence: ["The photograph is fake and the story a hoax.", "Nobody wrote this."],
  })

  it(
    "asks a server with examples, marks evidence, and goes on where a budget ended",
    { timeout: 240_000 },
    inPlace(async (place) => {
      const server = await startModelServer(answer)
      try {
        place.write("few.json", gold.slice(0, 6).join("\n"))
        const predict = ["fmd", "predict", "few.json", "--out", "llm.jsonl", "--provider", "openai"]
        const model = ["--model", "tiny", "--base-url", server.url, "--examples", "gold.json"]
        const run = (...args: ReadonlyArray<string>) =>
          place.espalier([...predict, ...model, "--shots", "2", "--json", ...args], {
            env: { OPENAI_API_KEY: "sk-not-a-key" },
          })
        const stopped = await run("--budget-requests", "4")
        assert.notStrictEqual(stopped.code, 0)
        assertFriendly(stopped.error)
        assert.match(stopped.error, /budget of 4/i)
        assert.match(stopped.error, /4 predictions are kept in/)
        assert.strictEqual(JSON.parse(stopped.out).complete, false)
        const finished = await run()
        assert.strictEqual(finished.code, 0, finished.error)
        assert.strictEqual(server.requests.length, 6)
        const document = JSON.parse(finished.out)
        assert.deepEqual([document.items, document.resumed, document.agent], [6, 4, "llm"])
        assert.isAtLeast(document.unfounded, 2)
        const lines = readFileSync(place.at("llm.jsonl"), "utf8").trim().split("\n")
        assert.strictEqual(lines.length, 6)
        const [there, absent] = JSON.parse(lines[1]).evidence
        assert.strictEqual(
          items[1].context.slice(there.start, there.end),
          "The photograph is fake and the story a hoax.",
        )
        assert.deepEqual(absent, { text: "Nobody wrote this.", inContext: false })
        const { messages } = JSON.parse(server.requests[0])
        const prompt = formatInstruction(items[0])
        assert.include(JSON.stringify(messages.at(-1)), JSON.stringify(prompt).slice(1, -1))
        assert.strictEqual(
          messages.filter(({ role }: { role: string }) => role === "assistant").length,
          2,
        )
        assert.notInclude(
          readFileSync(place.at("llm.jsonl"), "utf8") + stopped.error,
          "sk-not-a-key",
        )
      } finally {
        server.stop()
      }
    }),
  )
})
