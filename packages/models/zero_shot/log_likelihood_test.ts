import { assert, describe, it } from "@effect/vitest"
import { Progress } from "@espalier/runtime"
import type { ProgressUpdate } from "@espalier/runtime"
import { Device, DeviceArray, Interpreter, Program, Spec } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect } from "effect"
import type { CausalLM } from "../causal_lm.ts"
import { forward } from "../causal_lm.ts"
import { stackWindows } from "../perplexity.ts"
import { makeRandom } from "../random.ts"
import { tinyLlama } from "../testing/tiny.ts"
import type { TokenRequest } from "./encode_request.ts"
import { logLikelihoods } from "./log_likelihood.ts"

/** The same likelihood with one forward pass of one sequence and the softmax written out. */
const plainly = (model: CausalLM, { input, targets }: TokenRequest) =>
  Effect.gen(function* () {
    const tokens = stackWindows([input])
    const inputs = { parameters: Spec.of(model.parameters), tokens: Spec.of(tokens) }
    const program = Program.make("logits", inputs, ({ parameters, tokens }) =>
      forward(model, parameters, tokens),
    )
    const run = yield* Program.compile(program)
    const logits = yield* DeviceArray.toArray(yield* run({ parameters: model.parameters, tokens }))
    const size = model.vocabularySize
    let logLikelihood = 0
    let greedy = true
    for (const [i, target] of targets.entries()) {
      const position = input.length - targets.length + i
      const row = logits.slice(position * size, (position + 1) * size)
      const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0)
      logLikelihood += Math.log(Math.exp(row[target]) / total)
      greedy = greedy && row.every((logit) => logit <= row[target])
    }
    return { logLikelihood, greedy }
  })

const random = makeRandom(3)
const request = (length: number, targets: number): TokenRequest => {
  const tokens = Int32Array.from({ length: length + 1 }, () => random.below(11))
  return { input: tokens.slice(0, -1), targets: tokens.slice(-targets), truncated: false }
}
const requests = [
  request(1, 1),
  request(12, 12),
  request(5, 2),
  request(12, 1),
  request(7, 5),
  request(2, 2),
  request(9, 4),
]

describe("logLikelihoods", () => {
  it.effect("are sums of log-softmax at the positions of the continuation", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const found = yield* logLikelihoods(model, requests)
      for (const [i, each] of requests.entries()) {
        const expected = yield* plainly(model, each)
        assert.closeTo(found[i].logLikelihood, expected.logLikelihood, 1e-9)
        assert.strictEqual(found[i].greedy, expected.greedy)
      }
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("know what greedy decoding gives", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const input = Int32Array.of(1, 4, 7)
      const each = Array.from({ length: 11 }, (_, token) => ({
        input,
        targets: Int32Array.of(token),
        truncated: false,
      }))
      const found = yield* logLikelihoods(model, each)
      const best = found.reduce((a, b) => (b.logLikelihood > a.logLikelihood ? b : a))
      assert.deepStrictEqual(
        found.map(({ greedy }) => greedy),
        found.map((likelihood) => likelihood === best),
      )
      const total = found.reduce((sum, { logLikelihood }) => sum + Math.exp(logLikelihood), 0)
      assert.closeTo(total, 1, 1e-12)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("do not depend on batch, order or company", () =>
    Effect.gen(function* () {
      // A longer context has shapes of several lengths.
      const model = tinyLlama({ contextLength: 64 })
      const mixed = [...requests, request(17, 3), request(33, 20), request(64, 2), request(40, 40)]
      const whole = yield* logLikelihoods(model, mixed)
      for (const batch of [1, 2, 5]) {
        const found = yield* logLikelihoods(model, mixed, { batch })
        for (const [i, { logLikelihood, greedy }] of found.entries()) {
          assert.closeTo(logLikelihood, whole[i].logLikelihood, 1e-4)
          assert.strictEqual(greedy, whole[i].greedy)
        }
      }
      const alone = yield* Effect.forEach(mixed, (each) => logLikelihoods(model, [each]))
      const reversed = yield* logLikelihoods(model, mixed.toReversed(), { batch: 3 })
      for (const [i, { logLikelihood }] of whole.entries()) {
        assert.closeTo(alone[i][0].logLikelihood, logLikelihood, 1e-4)
        assert.closeTo(reversed[mixed.length - 1 - i].logLikelihood, logLikelihood, 1e-4)
      }
    }).pipe(Effect.provide(wasmLayer({ poison: true, threads: 1 }))),
  )

  it.effect("report progress in requests", () =>
    Effect.gen(function* () {
      const seen: Array<ProgressUpdate> = []
      yield* logLikelihoods(tinyLlama(), requests, { batch: 2, task: "questions" }).pipe(
        Effect.provideService(Progress, {
          report: (update) => Effect.sync(() => void seen.push(update)),
        }),
      )
      assert.deepStrictEqual(seen[0], {
        task: "questions",
        completed: 0,
        total: 7,
        unit: "requests",
      })
      assert.strictEqual(seen.at(-1)?.completed, 7)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("fail with NonFinite where the weights are damaged", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      model.parameters.norm.data.fill(Number.NaN)
      const error = yield* Effect.flip(logLikelihoods(model, requests))
      if (error._tag !== "NonFinite") return assert.fail(error.message)
      assert.match(error.node, /^request \d$/)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("give their memory back", () =>
    Effect.gen(function* () {
      const { statistics } = yield* Device
      const before = statistics().liveBytes
      yield* logLikelihoods(tinyLlama(), requests, { batch: 2 })
      assert.strictEqual(statistics().liveBytes, before)
    }).pipe(Effect.provide(wasmLayer({ poison: true, threads: 1 }))),
  )
})
