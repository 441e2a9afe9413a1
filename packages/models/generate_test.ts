import { assert, describe, it } from "@effect/vitest"
import { Device, DeviceArray, HostArray, Interpreter, Program, Spec } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { hasData, needsData } from "@espalier/testing"
import { Effect, Stream } from "effect"
import type { CausalLM } from "./causal_lm.ts"
import { forward, parameterSpecs } from "./causal_lm.ts"
import type { GenerateOptions } from "./generate.ts"
import { generate } from "./generate.ts"
import { stackWindows } from "./perplexity.ts"
import { readStories, readStoriesTokenizer } from "./testing/stories.ts"
import { tinyLlama } from "./testing/tiny.ts"
import { encodeDocument } from "./tokenizer.ts"

const prompt: Int32Array = Int32Array.of(1, 5, 3)

const tokensOf = (model: CausalLM, options: GenerateOptions, given: Int32Array = prompt) =>
  Stream.runCollect(generate(model, given, options))

/** The greedy continuation without a cache: the whole text again for every token. */
const slowly = (model: CausalLM, given: Int32Array, count: number) =>
  Effect.gen(function* () {
    const text = [...given]
    for (let i = 0; i < count; i++) {
      const inputs = { parameters: parameterSpecs(model), tokens: Spec.i32([1, text.length]) }
      const run = yield* Program.compile(
        Program.make("next", inputs, ({ parameters, tokens }) =>
          forward(model, parameters, tokens),
        ),
      )
      const { parameters } = model
      const tokens = stackWindows([Int32Array.from(text)])
      const logits = yield* DeviceArray.toArray(yield* run({ parameters, tokens }))
      const last = logits.slice(-model.vocabularySize)
      text.push(last.indexOf(Math.max(...last)))
    }
    return text.slice(given.length)
  }).pipe(Effect.scoped)

describe("generate", () => {
  it.effect("continues with the likeliest token, as without a cache", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const expected = yield* slowly(model, prompt, 6)
      assert.deepStrictEqual(yield* tokensOf(model, { tokens: 6 }), expected)
      assert.deepStrictEqual(yield* tokensOf(model, { tokens: 0 }), [])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("ends where the context is full", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const all = yield* tokensOf(model, { tokens: 100 })
      assert.strictEqual(all.length, model.contextLength - prompt.length)
      for (const maxContext of [4, 7, 12]) {
        const found = yield* tokensOf(model, { tokens: 100, maxContext })
        assert.deepStrictEqual(found, all.slice(0, maxContext - prompt.length))
      }
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("ends at a stop token, which is not given out", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const all = yield* tokensOf(model, { tokens: 8 })
      const stop = all[3]
      const found = yield* tokensOf(model, { tokens: 8, stop: [stop] })
      assert.deepStrictEqual(found, all.slice(0, all.indexOf(stop)))
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("refuses a context or a prompt that does not fit, before anything runs", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const { statistics } = yield* Device
      const refused = (given: Int32Array, options: GenerateOptions) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(tokensOf(model, options, given))
          if (error._tag !== "ContextExceeded") return assert.fail(error.message)
          return error
        })
      const long = yield* refused(prompt, { tokens: 1, maxContext: 13 })
      assert.deepStrictEqual([long.maxContext, long.contextLength], [13, 12])
      assert.include(long.message, "between 4 and 12")
      const full = yield* refused(prompt, { tokens: 1, maxContext: 3 })
      assert.strictEqual(full.promptTokens, 3)
      assert.include((yield* refused(new Int32Array(20), { tokens: 1 })).message, "at most 11")
      assert.include((yield* refused(new Int32Array(0), { tokens: 1 })).message, "begin token")
      assert.strictEqual(statistics().dispatches, 0)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("fails with NonFinite where the weights are damaged", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const { norm } = model.parameters
      const damaged = norm.data.map((gain, i) => (i === 2 ? Number.NaN : gain))
      const broken = model.withParameters({
        ...model.parameters,
        norm: HostArray.make(norm.shape, damaged),
      })
      const error = yield* Effect.flip(tokensOf(broken, { tokens: 3 }))
      assert.strictEqual(error._tag, "NonFinite")
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("samples the same text for the same seed", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const draw = (seed: number) => tokensOf(model, { tokens: 9, temperature: 3, seed })
      const first = yield* draw(1)
      assert.deepStrictEqual(yield* draw(1), first)
      const others = yield* Effect.forEach([2, 3, 4], draw)
      assert.isTrue(others.some((other) => String(other) !== String(first)))
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("leaves no memory behind, even where the listener goes away early", () =>
    Effect.gen(function* () {
      const { statistics } = yield* Device
      const before = statistics().liveBytes
      yield* tokensOf(tinyLlama(), { tokens: 5 })
      assert.strictEqual(statistics().liveBytes, before)
      const two = generate(tinyLlama(), prompt, { tokens: 8 }).pipe(
        Stream.take(2),
        Stream.runCollect,
      )
      assert.strictEqual((yield* two).length, 2)
      assert.strictEqual(statistics().liveBytes, before)
    }).pipe(Effect.provide(wasmLayer({ poison: true, threads: 1 }))),
  )
})

describe.skipIf(!hasData)(`generate with stories260K${needsData}`, () => {
  const write = (file: string, options: GenerateOptions) => {
    const tokenizer = readStoriesTokenizer()
    const begin = encodeDocument(tokenizer, "Once upon a time")
    return Effect.map(tokensOf(readStories(file), options, begin), (tokens) =>
      tokenizer.decode(Int32Array.from([...begin, ...tokens])),
    )
  }

  it.effect("tells the story of Lily", () =>
    Effect.gen(function* () {
      const story = yield* write("stories260K.bin", { tokens: 60 })
      const start =
        "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
      assert.strictEqual(story.trimStart().slice(0, start.length), start)
    }).pipe(Effect.provide(wasmLayer({ poison: true }))),
  )

  it.effect("writes sentences from the int8 export too", () =>
    Effect.gen(function* () {
      const story = yield* write("stories260K-q8.bin", { tokens: 30 })
      assert.match(story.trimStart(), /^Once upon a time, there was a /)
    }).pipe(Effect.provide(wasmLayer())),
  )

  it.effect("samples the same story for the same seed, another for another", () =>
    Effect.gen(function* () {
      const draw = (seed: number) =>
        write("stories260K.bin", { tokens: 30, temperature: 1, topP: 0.9, seed })
      const first = yield* draw(7)
      assert.strictEqual(yield* draw(7), first)
      assert.notStrictEqual(yield* draw(8), first)
    }).pipe(Effect.provide(wasmLayer())),
  )
})
