import { assert, describe, it } from "@effect/vitest"
import type { CausalLM } from "@espalier/models"
import {
  forward,
  gpt2ParameterSpecs,
  llamaParameterShapes,
  makeGpt2,
  makeGpt2Config,
  makeLlama,
  makeLlamaConfig,
  makeOpt,
  makeOptConfig,
  mapLlamaParameters,
  optParameterSpecs,
  parameterSpecs,
  stackWindows,
} from "@espalier/models"
import { DeviceArray, HostArray, Interpreter, Program, Spec, Tree } from "@espalier/tensor"
import { draw } from "@espalier/testing"
import { Effect, Result } from "effect"
import { makeMemoryStore } from "./block_store.ts"
import type { LinearMethod } from "./change_linears.ts"
import { changeLinears } from "./change_linears.ts"
import { fullHessian, hessianOfInputs } from "./hessian.ts"

const sizes = { dimension: 8, layers: 2, heads: 2, vocabularySize: 11, contextLength: 12 }
const windows = [Int32Array.of(1, 5, 3, 9, 0, 2), Int32Array.of(2, 2, 7, 4, 10, 6)]

/** Numbers for each parameter of a model, different and far from 0 and 1. */
const drawing = () => {
  let seed = 1
  return ({ shape }: { readonly shape: ReadonlyArray<number> }) => {
    const length = shape.reduce((size, extent) => size * extent, 1)
    return HostArray.make(shape, draw(1, length, seed++)[0])
  }
}

const llama = (change: object): CausalLM => {
  const given = { ...sizes, hiddenDimension: 12, keyValueHeads: 2, ...change }
  const config = Result.getOrThrow(makeLlamaConfig(given))
  const fill = drawing()
  const parameters = mapLlamaParameters(llamaParameterShapes(config), (shape) => fill({ shape }))
  return makeLlama(config, parameters)
}
const opt = (change: object): CausalLM => {
  const config = Result.getOrThrow(makeOptConfig({ ...sizes, hiddenDimension: 12, ...change }))
  const fill = drawing()
  return makeOpt(
    config,
    Tree.map(optParameterSpecs(config), (spec: Spec) => fill(spec)),
  )
}
const gpt2 = (): CausalLM => {
  const config = Result.getOrThrow(makeGpt2Config({ ...sizes, hiddenDimension: 12 }))
  const fill = drawing()
  return makeGpt2(
    config,
    Tree.map(gpt2ParameterSpecs(config), (spec: Spec) => fill(spec)),
  )
}

const logitsOf = Effect.fnUntraced(function* (model: CausalLM) {
  const tokens = stackWindows(windows)
  const inputs = { parameters: parameterSpecs(model), tokens: Spec.i32(tokens.shape) }
  const program = Program.make("logits", inputs, ({ parameters, tokens }) =>
    forward(model, parameters, tokens),
  )
  const run = yield* Program.compile(program)
  return yield* DeviceArray.toArray(yield* run({ parameters: model.parameters, tokens }))
}, Effect.scoped)

/** Σ (W x)² over all tokens. */
const energyOf = ({ shape: [outputs, inputs], data }: HostArray.HostArray, h: Float32Array) => {
  let sum = 0
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < inputs; j++) {
        sum += data[o * inputs + i] * h[i * inputs + j] * data[o * inputs + j]
      }
    }
  }
  return sum
}

/** Changes nothing but what scaling changes, and notes what was scaled and what is seen after it. */
const scale = Effect.fnUntraced(function* (model: CausalLM, scaling: boolean) {
  const scaled: Array<string> = []
  const energies = new Map<string, number>()
  const method: LinearMethod = {
    name: "scale",
    statistic: hessianOfInputs,
    change: ({ linear, weight, inputs }) =>
      Effect.sync(() => {
        energies.set(linear.path, energyOf(weight, fullHessian(inputs.hessian)))
        return weight
      }),
    ...(scaling
      ? {
          scaleInputs: ({ linears }) =>
            Effect.sync(() => {
              scaled.push(...linears.map(({ path }) => path))
              return Float32Array.from(draw(1, linears[0].shape[1], 7)[0], (x) => 2 ** (3 * x))
            }),
        }
      : {}),
  }
  const { store, result } = yield* makeMemoryStore(model, "scale")
  yield* changeLinears(model, store, method, { describe: () => ({}), windows })
  return { model: result(), scaled, energies }
})

describe("scaling inputs", () => {
  for (const [name, model, kept] of [
    ["LLaMA", llama({}), []],
    ["LLaMA with biases", llama({ attentionBias: true }), []],
    ["LLaMA with fewer heads of keys and values", llama({ keyValueHeads: 1 }), ["output"]],
    ["GPT-2", gpt2(), ["output", "down"]],
    ["OPT", opt({ normBefore: true }), []],
    ["OPT with norms after", opt({ normBefore: false }), ["query", "key", "value", "up"]],
  ] as const) {
    it.effect(`of ${name} changes its logits only by rounding`, () =>
      Effect.gen(function* () {
        const before = yield* scale(model, false)
        const after = yield* scale(model, true)
        const linears = model.blocks.flatMap((block) => block.linears)
        assert.deepStrictEqual(
          new Set(after.scaled),
          new Set(
            linears.flatMap((linear) =>
              kept.some((each) => each === linear.name) ? [] : [linear.path],
            ),
          ),
        )
        assert.notDeepEqual(after.model.parameters, model.parameters)
        const expected = yield* logitsOf(model)
        const found = yield* logitsOf(after.model)
        const largest = Math.max(...expected.map(Math.abs))
        for (const [i, value] of expected.entries()) {
          assert.closeTo(found[i] / largest, value / largest, 1e-5)
        }
        // Methods see scaled weights and scaled inputs: what they compute together stays. The rows
        // of some take up scales themselves.
        for (const { path, name } of linears) {
          if (name === "up" || name === "value") continue
          assert.closeTo(after.energies.get(path)! / before.energies.get(path)!, 1, 1e-4, path)
        }
      }).pipe(Effect.scoped, Effect.provide(Interpreter.layer)),
    )
  }
})
