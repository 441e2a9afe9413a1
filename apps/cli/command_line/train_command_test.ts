import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"
import { makeTinyModel, tinyStories, writeModel } from "../testing/tiny_model.ts"

type Place = ReturnType<typeof makeFolder>

const lines = (stories: ReadonlyArray<string>) =>
  stories.map((text) => JSON.stringify(text)).join("\n")

const inPlace = (use: (place: Place) => Promise<void>) => async () => {
  const place = makeFolder("real")
  try {
    place.write("stories.jsonl", lines(tinyStories))
    place.write("others.jsonl", lines(tinyStories.slice(0, 8)))
    await use(place)
  } finally {
    place.remove()
  }
}

const sizes = ["--dimension", "8", "--hidden-dimension", "16", "--layers", "2", "--heads", "2"]
const train = ["train", "stories.jsonl", "--device", "wasm", "--window", "16", "--batch", "4"]
const small = [...train, ...sizes]

const assertSameFolders = (place: Place, expected: string, found: string) => {
  assert.deepStrictEqual(readdirSync(place.at(found)), readdirSync(place.at(expected)))
  for (const name of readdirSync(place.at(expected))) {
    const [one, other] = [expected, found].map((each) => readFileSync(place.at(each, name)))
    assert.isTrue(one.equals(other), name)
  }
}

interface Told {
  readonly steps: number
  readonly loss: number
  readonly perplexity?: number
  readonly bestStep?: number
  readonly evaluations?: Readonly<Record<string, number>>
  readonly trainedShare?: number
}

describe.concurrent("espalier train", () => {
  it(
    "grows a model that generate reads, and goes on from it with other rules",
    { timeout: 240_000 },
    inPlace(async (place) => {
      const first = await place.espalier([...small, "--steps", "40", "--out", "one", "--json"])
      assert.strictEqual(first.code, 0, first.error)
      const told = JSON.parse(first.out) as Told
      assert.strictEqual(told.steps, 40)
      assert.deepStrictEqual(readdirSync(place.at("one")), [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
      ])
      assert.isFalse(existsSync(place.at("one.partial")))
      const words = ["generate", "--model", "one", "--prompt", "Mia", "--tokens", "4"]
      const continued = await place.espalier([...words, "--device", "wasm"])
      assert.strictEqual(continued.code, 0, continued.error)

      const further = [...train, "--model", "one", "--steps", "12", "--learning-rate", "0.01"]
      const rules = ["--optimizer", "muon", "--schedule", "wsd", "--accumulate", "2"]
      const second = await place.espalier([...further, ...rules, "--out", "two", "--json"])
      assert.strictEqual(second.code, 0, second.error)
      assert.isBelow((JSON.parse(second.out) as Told).loss, told.loss)

      const adapter = ["--adapter", "dora", "--rank", "2", "--average", "0.9"]
      const measured = ["--eval", "others.jsonl", "--eval-every", "5", "--patience", "3"]
      const out = ["--out", "three", "--json"]
      const third = await place.espalier([...further, ...adapter, ...measured, ...out])
      assert.strictEqual(third.code, 0, third.error)
      const { evaluations, bestStep, perplexity, trainedShare } = JSON.parse(third.out) as Told
      assert.deepStrictEqual(Object.keys(evaluations ?? {}), ["0", "5", "10", "12"])
      assert.strictEqual(evaluations?.[bestStep ?? -1], perplexity)
      assert.isBelow(trainedShare ?? 1, 0.5)

      const again = await place.espalier([...small, "--out", "one"])
      assert.strictEqual(again.code, 2)
      assertFriendly(again.error)
      assert.match(again.error, /exists already/)
    }),
  )

  it(
    "killed at any moment goes on where it was, with the same bytes at the end",
    { timeout: 240_000 },
    inPlace(async (place) => {
      const measured = ["--eval", "others.jsonl", "--eval-every", "7", "--average", "0.8"]
      const often = ["--checkpoint-seconds", "0", "--accumulate", "2"]
      const job = [...small, "--steps", "120", ...measured, ...often]
      const whole = await place.espalier([...job, "--out", "whole"])
      assert.strictEqual(whole.code, 0, whole.error)
      /** The step of the last checkpoint. */
      const done = (): number => {
        const folder = place.at("out.partial", "checkpoints")
        if (!existsSync(folder)) return -1
        const [key] = readdirSync(folder)
        const file = key === undefined ? "" : place.at("out.partial", "checkpoints", key)
        if (file === "" || !readdirSync(file).includes("c-training")) return -1
        const head = readFileSync(`${file}/c-training`).toString("latin1")
        return Number(/"step":(\d+)/.exec(head)?.[1] ?? -1)
      }
      // As soon as there is a checkpoint, and some moments after two others.
      const moments: ReadonlyArray<readonly [step: number, looks: number]> = [
        [1, 0],
        [17, 2],
        [53, 5],
      ]
      for (const [step, looks] of moments) {
        let seen = 0
        const killWhen = () => done() >= step && seen++ >= looks
        const killed = await place.espalier([...job, "--out", "out"], { killWhen })
        assert.isNull(killed.code, killed.error)
        assert.isFalse(existsSync(place.at("out")))
      }
      const ended = await place.espalier([...job, "--out", "out"])
      assert.strictEqual(ended.code, 0, ended.error)
      const resumed = /going on after step (\d+) of 120/.exec(ended.error)
      assert.isAtLeast(Number(resumed?.[1]), 53)
      assertSameFolders(place, "whole", "out")
      assert.isFalse(existsSync(place.at("out.partial")))
    }),
  )

  it(
    "says what is wrong with its input, and writes nothing",
    { timeout: 240_000 },
    inPlace(async (place) => {
      writeModel(place.at("model"), makeTinyModel())
      place.write("short.txt", "Mia")
      const from = [...train, "--model", "model", "--steps", "2"]
      const cases: ReadonlyArray<readonly [ReadonlyArray<string>, number, RegExp]> = [
        [small.with(1, "nowhere.jsonl"), 2, /FILE nowhere\.jsonl: there is no file/],
        [small.with(1, "short.txt"), 2, /has 2 tokens, fewer than one window of 16/],
        [[...small, "--accumulate", "3"], 2, /accumulate is 3[^]*divisor of the batch of 4/],
        [[...from, "--layers", "3", "--vocabulary", "9"], 2, /has its own: layers, vocabulary/],
        [from.with(5, "64"), 2, /longer than the model's context of 32/],
        [[...from, "--adapter", "lora", "--rank", "99"], 2, /rank of the adapters is 99/],
        [[...small, "--precision", "f16"], 2, /wasm has no f16/],
        [[...small, "--steps", "20", "--learning-rate", "1e30"], 1, /is not finite at step \d/],
      ]
      for (const [args, code, says] of cases) {
        const ended = await place.espalier([...args, "--out", "out"])
        assert.strictEqual(ended.code, code, `${args.join(" ")}: ${ended.error}`)
        assertFriendly(ended.error)
        assert.match(ended.error, says)
        assert.isFalse(existsSync(place.at("out")))
      }
    }),
  )
})
