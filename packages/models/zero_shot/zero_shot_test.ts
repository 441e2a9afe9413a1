import { assert, describe, it } from "@effect/vitest"
import { Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { hasData, needsData, readData } from "@espalier/testing"
import { Effect, Result } from "effect"
import { gunzipSync } from "node:zlib"
import { questions, questionTokenizer } from "../testing/questions.ts"
import { readStories, readStoriesTokenizer } from "../testing/stories.ts"
import { tinyLlama } from "../testing/tiny.ts"
import type { TokenRequest } from "./encode_request.ts"
import { encodeRequest } from "./encode_request.ts"
import { logLikelihoods } from "./log_likelihood.ts"
import { readZeroShotItems, zeroShotTasks } from "./tasks.ts"
import { zeroShot } from "./zero_shot.ts"

const model = tinyLlama()

const sumsOf = Effect.fnUntraced(function* (item: (typeof questions)[number]) {
  const requests = item.requests.map(
    (request) => encodeRequest(questionTokenizer, request, model) as TokenRequest,
  )
  return yield* logLikelihoods(model, requests)
})

describe("zeroShot", () => {
  it.effect("scores each question as its likelihoods say", () =>
    Effect.gen(function* () {
      const [choices, contexts, word] = questions
      const likelihoods = yield* sumsOf(choices)
      const best = likelihoods
        .map(({ logLikelihood }, i) => [logLikelihood, i])
        .sort(([a], [b]) => b - a)[0][1]
      const right = yield* zeroShot(model, questionTokenizer, [{ ...choices, gold: best }])
      assert.deepStrictEqual(right.accuracy, { mean: 1 })
      const wrong = yield* zeroShot(model, questionTokenizer, [
        { ...choices, gold: (best + 1) % 3 },
      ])
      assert.deepStrictEqual([wrong.accuracy, wrong.chance], [{ mean: 0 }, 1 / 3])
      const both = yield* zeroShot(model, questionTokenizer, [
        { ...contexts, gold: 0 },
        { ...contexts, gold: 1 },
      ])
      assert.deepStrictEqual(both.accuracy, { mean: 0.5, standardError: 0.5 })
      assert.isUndefined(both.accuracyPerCharacter)
      const [{ logLikelihood, greedy }] = yield* sumsOf(word)
      const last = yield* zeroShot(model, questionTokenizer, [word])
      assert.closeTo(last.perplexity ?? 0, Math.exp(-logLikelihood), 1e-9)
      assert.deepStrictEqual([last.accuracy.mean, last.chance], [Number(greedy), 0])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("counts what was cut and what could not be scored", () =>
    Effect.gen(function* () {
      const long = Array.from({ length: 14 }, () => "so").join(" ")
      const score = yield* zeroShot(model, questionTokenizer, [
        ...questions,
        { requests: [{ context: long, continuation: " red" }] },
        { requests: [{ context: "snow", continuation: ` ${long}` }] },
      ])
      assert.deepStrictEqual([score.items, score.truncated, score.unscored], [4, 1, 1])
      const error = yield* Effect.flip(
        zeroShot(model, questionTokenizer, [
          { requests: [{ context: "snow", continuation: ` ${long}` }] },
        ]),
      )
      if (error._tag !== "NothingToScore") return assert.fail(error.message)
      assert.match(error.message, /None of 1 questions .* 12 tokens/)
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})

/**
 * Log-likelihoods of the first questions of each file under stories260K, from a float64 PyTorch program
 * that shares nothing with this one: its own model, its own tokenizer and the harness's definitions.
 */
const golden: Readonly<Record<string, ReadonlyArray<ReadonlyArray<number>>>> = {
  arc_easy: [
    [-141.073042, -115.984756, -101.94876, -115.776527],
    [-45.715286, -27.436841, -25.74794, -25.49996],
    [-28.091077, -25.894077, -31.403657, -40.163203],
  ],
  piqa: [
    [-270.163657, -284.256113],
    [-51.606172, -92.408321],
  ],
  winogrande: [
    [-41.200684, -41.397612],
    [-42.79022, -42.858398],
  ],
  openbookqa: [
    [-32.770354, -31.134985, -72.599208, -21.400276],
    [-17.218749, -25.958629, -21.351896, -14.037968],
  ],
  lambada_openai: [[-11.366121], [-24.149576], [-27.101815]],
}

const readQuestions = (name: string, count: number) => {
  const task = zeroShotTasks.find((each) => each.name === name)
  if (task === undefined) return assert.fail(name)
  const text = new TextDecoder().decode(gunzipSync(readData(`zero-shot/${task.file}.jsonl.gz`)))
  return Result.getOrThrow(readZeroShotItems(task, task.file, text)).slice(0, count)
}

describe.skipIf(!hasData)(`stories260K on real questions${needsData}`, () => {
  it.effect("has the log-likelihoods of an independent PyTorch program", () =>
    Effect.gen(function* () {
      const tokenizer = readStoriesTokenizer()
      const stories = readStories()
      for (const [name, expected] of Object.entries(golden)) {
        const requests = readQuestions(name, expected.length).flatMap((item) =>
          item.requests.map((each) => encodeRequest(tokenizer, each, stories) as TokenRequest),
        )
        const found = yield* logLikelihoods(stories, requests)
        for (const [i, sum] of expected.flat().entries()) {
          assert.closeTo(found[i].logLikelihood / sum, 1, 2e-5, `${name} ${i}`)
        }
      }
    }).pipe(Effect.provide(wasmLayer())),
  )

  it.effect("scores what that program does, which is what guessing does", () =>
    Effect.gen(function* () {
      for (const [name, accuracy, error, perCharacter] of [
        ["arc_easy", 0.2, 0.06405126152203486, 0.175],
        ["openbookqa", 0.15, 0.05717718748968655, 0.3],
      ] as const) {
        const score = yield* zeroShot(
          readStories(),
          readStoriesTokenizer(),
          readQuestions(name, 40),
        )
        assert.closeTo(score.accuracy.mean, accuracy, 1e-12)
        assert.closeTo(score.accuracy.standardError ?? 0, error, 1e-12)
        assert.closeTo(score.accuracyPerCharacter?.mean ?? 0, perCharacter, 1e-12)
        assert.isBelow(Math.abs(score.accuracy.mean - score.chance), 2 * error)
      }
    }).pipe(Effect.provide(wasmLayer())),
  )
})
