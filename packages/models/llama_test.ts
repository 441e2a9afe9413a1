import { assert, describe, it } from "@effect/vitest"
import { DeviceArray, HostArray, Interpreter, Program, Spec } from "@espalier/tensor"
import { Effect, Result } from "effect"
import { forward, parameterSpecs } from "./causal_lm.ts"
import { toHuggingFace } from "./hugging_face/tensors.ts"
import { initializeLlama, makeLlama } from "./llama.ts"
import {
  llamaParameterEntries,
  llamaParameterShapes,
  mapLlamaParameters,
} from "./llama_parameters.ts"
import { headDimension } from "./llama_config.ts"
import { rotaryFrequencies } from "./llama_rotary.ts"
import { stackWindows } from "./perplexity.ts"
import { assertClose, decodedLogits, logitsOf } from "./testing/logits.ts"
import { llamaLogits } from "./testing/reference_decoder.ts"
import { tinyConfig, tinyLlama, tinyWindows } from "./testing/tiny.ts"

const [tokens] = tinyWindows(1, 9)

describe("Llama", () => {
  for (const [name, change] of [
    ["a head of keys for every head of queries", { keyValueHeads: 4 }],
    ["grouped queries", { keyValueHeads: 2 }],
    ["one head of keys for all", { keyValueHeads: 1 }],
    ["an untied head", { tiedEmbeddings: false }],
    ["biases on queries, keys and values", { attentionBias: true }],
    ["heads that are wider than their share", { headDimension: 6 }],
    ["stretched rotary embeddings", { ropeScaling: { kind: "linear", factor: 3 } }],
  ] as const) {
    it.effect(`gives the logits of a plain computation, with ${name}`, () =>
      Effect.gen(function* () {
        const model = tinyLlama(change)
        const { ropeTheta, ropeScaling } = model.config
        const frequencies = rotaryFrequencies(headDimension(model.config), ropeTheta, ropeScaling)
        const tensors = Result.getOrThrow(toHuggingFace(model))
        assertClose(
          yield* logitsOf(model, tokens),
          llamaLogits(model.config, frequencies, tensors, tokens),
        )
      }),
    )

    it.effect(`decodes what forward gives, at every position, with ${name}`, () =>
      Effect.gen(function* () {
        const model = tinyLlama(change)
        const expected = yield* logitsOf(model, tokens)
        assertClose(yield* decodedLogits(model, tokens, model.contextLength), expected)
        assertClose(yield* decodedLogits(model, tokens, tokens.length), expected)
      }),
    )
  }

  it.effect("grouped queries are repeated heads of keys and values", () =>
    Effect.gen(function* () {
      const grouped = tinyLlama({ keyValueHeads: 2 })
      const width = 4
      const repeated = mapLlamaParameters(grouped.parameters, (array, name) => {
        if (!name.endsWith(".key") && !name.endsWith(".value")) return array
        const [rows, columns] = array.shape
        const heads = [0, 0, 1, 1].map((head) => {
          const start = head * width * columns
          return Array.from(array.data.slice(start, start + width * columns))
        })
        return HostArray.make([2 * rows, columns], heads.flat())
      })
      const full = makeLlama(tinyConfig({ keyValueHeads: 4 }), repeated)
      assertClose(yield* logitsOf(full, tokens), yield* logitsOf(grouped, tokens))
    }),
  )

  it.effect("is causal: a later token changes nothing before it", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const changed = tokens.map((token, i) => (i === 6 ? (token + 1) % 11 : token))
      const [before, after] = [yield* logitsOf(model, tokens), yield* logitsOf(model, changed)]
      assert.deepStrictEqual(after.slice(0, 6 * 11), before.slice(0, 6 * 11))
      assert.notDeepEqual(after.slice(6 * 11), before.slice(6 * 11))
    }),
  )

  it.effect("sequences of a batch do not see each other", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const windows = tinyWindows(3, 7)
      const inputs = { parameters: parameterSpecs(model), tokens: Spec.i32([3, 7]) }
      const run = yield* Program.compile(
        Program.make("batch", inputs, ({ parameters, tokens }) =>
          forward(model, parameters, tokens),
        ),
      )
      const { parameters } = model
      const found = yield* DeviceArray.toArray(
        yield* run({ parameters, tokens: stackWindows(windows) }),
      )
      const alone = yield* Effect.forEach(windows, (window) => logitsOf(model, window))
      assertClose(found, alone.flat())
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it("names the linears of each block with their shapes", () => {
    const model = tinyLlama({ headDimension: 6, attentionBias: true })
    const shapes = new Map(llamaParameterEntries(llamaParameterShapes(model.config)))
    const linears = model.blocks.flatMap((block) => block.linears)
    assert.strictEqual(linears.length, 14)
    for (const { name, path, shape } of linears) {
      assert.isTrue(path.endsWith(`.${name}`))
      assert.deepStrictEqual([...shape], shapes.get(path))
    }
  })

  it("takes its parameters apart and puts them together again", () => {
    const model = tinyLlama()
    const { parameters } = tinyLlama({}, 2)
    for (const block of model.blocks) {
      const own = block.parameters(model.parameters)
      assert.deepStrictEqual(block.replace(model.parameters, own), model.parameters)
      const changed = block.replace(model.parameters, block.parameters(parameters))
      for (const other of model.blocks) {
        const from = other === block ? parameters : model.parameters
        assert.deepStrictEqual(other.parameters(changed), other.parameters(from))
      }
    }
    assert.strictEqual(model.withParameters(parameters).parameters, parameters)
  })

  it("shows each linear its inputs, and blocks of one signature trace to the same program", () => {
    const model = tinyLlama()
    const hashes = model.blocks.map((block) => {
      const seen = new Map<string, ReadonlyArray<number>>()
      const own = Object.fromEntries(
        Object.entries(block.parameters(llamaParameterShapes(model.config))).map(
          ([name, shape]) => [name, Spec.f32(shape as ReadonlyArray<number>)],
        ),
      )
      const program = Program.make("block", { own, hidden: Spec.f32([2, 5, 16]) }, (given) =>
        block.forward(given.own, given.hidden, (linear, input) => {
          assert.isFalse(seen.has(linear), linear)
          seen.set(linear, input.shape)
        }),
      )
      const expected = block.linears.map(({ name, shape }): [string, ReadonlyArray<number>] => {
        return [name, [2, 5, shape[1]]]
      })
      assert.sameDeepMembers([...seen], expected)
      return [block.signature, program.schedule.hash]
    })
    assert.deepStrictEqual(hashes[1], hashes[0])
  })
})

describe("initializeLlama", () => {
  const initialize = (seed: number) =>
    initializeLlama(tinyConfig({ tiedEmbeddings: false, dimension: 64, hiddenDimension: 96 }), seed)

  it.effect("gives every parameter its shape, gains of 1, and the same numbers for a seed", () =>
    Effect.gen(function* () {
      const config = tinyConfig({ tiedEmbeddings: false, dimension: 64, hiddenDimension: 96 })
      const shapes = new Map(llamaParameterEntries(llamaParameterShapes(config)))
      const parameters = yield* initialize(5)
      for (const [name, { shape, data }] of llamaParameterEntries(parameters)) {
        assert.deepStrictEqual(shape, shapes.get(name), name)
        if (shape.length === 1)
          assert.isTrue(
            data.every((gain) => gain === 1),
            name,
          )
      }
      assert.deepStrictEqual(yield* initialize(5), parameters)
      assert.notDeepEqual(yield* initialize(6), parameters)
      const [first, second] = parameters.blocks
      assert.notDeepEqual(first.query, second.query)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("scales the matrices that write into the residual stream by 1/√(2 · layers)", () =>
    Effect.gen(function* () {
      const { blocks } = yield* initialize(1)
      const deviation = ({ data }: HostArray.HostArray) =>
        Math.hypot(...data) / Math.sqrt(data.length)
      const [block] = blocks
      assert.closeTo(deviation(block.query) * Math.sqrt(64), 1, 0.1)
      assert.closeTo(deviation(block.output) * Math.sqrt(64 * 4), 1, 0.1)
      assert.closeTo(deviation(block.down) * Math.sqrt(96 * 4), 1, 0.1)
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})
