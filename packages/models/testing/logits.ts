import { assert } from "@effect/vitest"
import { DeviceArray, HostArray, Interpreter, Program, Spec } from "@espalier/tensor"
import { Effect } from "effect"
import type { CausalLM } from "../causal_lm.ts"
import { forward, parameterSpecs } from "../causal_lm.ts"
import { makeDecodeStep } from "../generate.ts"
import { stackWindows } from "../perplexity.ts"

/** Logits of one sequence, row after row. */
export const logitsOf = (model: CausalLM, tokens: Int32Array) =>
  Effect.gen(function* () {
    const inputs = { parameters: parameterSpecs(model), tokens: Spec.i32([1, tokens.length]) }
    const run = yield* Program.compile(
      Program.make("logits", inputs, ({ parameters, tokens }) =>
        forward(model, parameters, tokens),
      ),
    )
    const { parameters } = model
    return yield* DeviceArray.toArray(yield* run({ parameters, tokens: stackWindows([tokens]) }))
  }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))

const keyValueSpec = (model: CausalLM, maxContext: number): Spec => {
  const [{ key }] = model.stateSpec(maxContext) as ReadonlyArray<{ readonly key: Spec }>
  return key
}

/** The same logits, one token at a time through the key-value cache. */
export const decodedLogits = (model: CausalLM, tokens: Int32Array, maxContext: number) =>
  Effect.gen(function* () {
    const { parameters } = model
    const run = yield* Program.compile(makeDecodeStep(model, maxContext))
    // Nonsense in the cache must not matter: positions that were not written are not looked at.
    let state: unknown = Array.from({ length: model.blocks.length }, () => {
      const { shape } = keyValueSpec(model, maxContext)
      const rubbish = HostArray.make(shape, new Float32Array(shape[0] * shape[1]).fill(1e3))
      return { key: rubbish, value: rubbish }
    })
    const logits: Array<number> = []
    for (const [position, token] of tokens.entries()) {
      const result = yield* run({ parameters, state, token, position }, { donate: ["state"] })
      state = result.state
      logits.push(...(yield* DeviceArray.toArray(result.logits)))
    }
    return logits
  }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))

/** Says that two lists of numbers agree to ten digits after the point. */
export const assertClose = (found: ReadonlyArray<number>, expected: ReadonlyArray<number>) => {
  assert.strictEqual(found.length, expected.length)
  found.forEach((value, i) => assert.closeTo(value, expected[i], 1e-10))
}
