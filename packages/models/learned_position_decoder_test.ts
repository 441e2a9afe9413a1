import { assert, describe, it } from "@effect/vitest"
import { Program, Spec } from "@espalier/tensor"
import type { HostArray } from "@espalier/tensor"
import { Effect, Result } from "effect"
import type { CausalLM } from "./causal_lm.ts"
import { makeGpt2Config } from "./gpt2_config.ts"
import { toHuggingFace } from "./hugging_face/tensors.ts"
import type { InvalidModelConfig } from "./invalid_model_config.ts"
import { makeOptConfig } from "./opt_config.ts"
import { assertClose, decodedLogits, logitsOf } from "./testing/logits.ts"
import { tinyGpt2, tinyOpt } from "./testing/random_parameters.ts"
import { gpt2Logits, optLogits } from "./testing/reference_decoder.ts"
import { tinyWindows } from "./testing/tiny.ts"

const [tokens] = tinyWindows(1, 9)

const tensorsOf = (model: CausalLM) => Result.getOrThrow(toHuggingFace(model))

const gpt2s = [
  ["GPT-2", {}],
  ["GPT-2 with an untied head", { tiedEmbeddings: false }],
  ["GPT-2 with the exact GELU", { activation: "gelu" }],
] as const

const opts = [
  ["OPT", {}],
  ["OPT with norms after the addition", { normBefore: false }],
  ["OPT with narrow embeddings", { embeddingDimension: 5, normBefore: false }],
  ["OPT without a final norm", { finalNorm: false, tiedEmbeddings: false }],
] as const

const models: ReadonlyArray<readonly [string, CausalLM, () => ReadonlyArray<number>]> = [
  ...gpt2s.map(([name, change]) => {
    const model = tinyGpt2(change)
    return [name, model, () => gpt2Logits(model.config, tensorsOf(model), tokens)] as const
  }),
  ...opts.map(([name, change]) => {
    const model = tinyOpt(change)
    return [name, model, () => optLogits(model.config, tensorsOf(model), tokens)] as const
  }),
]

describe("decoders with learned positions", () => {
  for (const [name, model, expected] of models) {
    it.effect(`${name} gives the logits of a plain computation`, () =>
      Effect.gen(function* () {
        assertClose(yield* logitsOf(model, tokens), expected())
      }),
    )

    it.effect(`${name} decodes what forward gives, at every position`, () =>
      Effect.gen(function* () {
        const expected = yield* logitsOf(model, tokens)
        assertClose(yield* decodedLogits(model, tokens, model.contextLength), expected)
        assertClose(yield* decodedLogits(model, tokens, tokens.length), expected)
      }),
    )
  }

  it("names its linears and shows each its inputs", () => {
    for (const [model, names] of [
      [tinyGpt2(), ["qkv", "output", "up", "down"]],
      [tinyOpt(), ["query", "key", "value", "output", "up", "down"]],
    ] as const) {
      for (const block of model.blocks) {
        const own = block.parameters(model.parameters) as Record<string, HostArray.HostArray>
        const seen = new Map<string, ReadonlyArray<number>>()
        Program.make("block", { own: Spec.of(own), hidden: Spec.f32([2, 5, 12]) }, (given) =>
          block.forward(given.own, given.hidden, (linear, input) => {
            assert.isFalse(seen.has(linear), linear)
            seen.set(linear, input.shape)
          }),
        )
        assert.deepStrictEqual([...seen.keys()], [...names])
        assert.deepStrictEqual(
          block.linears.map(({ name }) => name),
          [...names],
        )
        for (const { name, path, shape } of block.linears) {
          assert.strictEqual(path, `blocks.${block.index}.${name}`)
          assert.deepStrictEqual([...shape], own[name].shape)
          assert.deepStrictEqual(seen.get(name), [2, 5, shape[1]])
        }
      }
    }
  })

  it("takes its parameters apart and puts them together again", () => {
    for (const [model, other] of [
      [tinyGpt2(), tinyGpt2({}, 9)],
      [tinyOpt(), tinyOpt({}, 9)],
    ] as const) {
      const [first, second] = model.blocks
      const changed = first.replace(model.parameters, first.parameters(other.parameters))
      assert.deepStrictEqual(first.parameters(changed), first.parameters(other.parameters))
      assert.deepStrictEqual(second.parameters(changed), second.parameters(model.parameters))
      assert.strictEqual(model.withParameters(other.parameters).parameters, other.parameters)
    }
  })

  it("refuses sizes that do not fit together", () => {
    const sizes = {
      dimension: 12,
      hiddenDimension: 20,
      layers: 2,
      heads: 5,
      vocabularySize: 11,
      contextLength: 12,
    }
    type Outcome = Result.Result<unknown, InvalidModelConfig>
    const makers: ReadonlyArray<(input: typeof sizes) => Outcome> = [makeGpt2Config, makeOptConfig]
    for (const make of makers) {
      assert.isTrue(Result.isSuccess(make({ ...sizes, heads: 4 })))
      for (const [change, message] of [
        [{}, /heads must be a divisor of dimension 12, found 5/],
        [{ heads: 4, layers: 0 }, /layers must be a valid size/],
      ] as const) {
        const result = make({ ...sizes, ...change })
        if (Result.isSuccess(result)) return assert.fail("accepted")
        assert.match(result.failure.message, message)
      }
    }
    const odd = makeOptConfig({ ...sizes, heads: 4, normBefore: false, finalNorm: true })
    assert.isTrue(Result.isFailure(odd))
  })
})
