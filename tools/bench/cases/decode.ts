import { decodeLlama2c, generate, makeDecodeStep, makeLlama, makeSampler } from "@espalier/models"
import type { Llama } from "@espalier/models"
import { DeviceArray, HostArray, Interpreter, Program, Tree } from "@espalier/tensor"
import type { Spec } from "@espalier/tensor"
import { Effect, Result, Stream } from "effect"
import { readFileSync } from "node:fs"
import type { Case, OwnSubject } from "../case.ts"
import { findData } from "../data.ts"

const path = "language-models/stories260K.bin"

/** Begin of text, where every story starts. */
const begin = 1

const read = (file: string): Llama => {
  const { config, parameters } = Result.getOrThrow(decodeLlama2c(readFileSync(file), path))
  return makeLlama(config, parameters)
}

/** What `generate` does, with the program compiled and the weights in place before it begins. */
const decoder = (file: string, tokens: number) =>
  Effect.gen(function* () {
    const model = read(file)
    const run = yield* Program.compile(makeDecodeStep(model, model.contextLength))
    const parameters = yield* DeviceArray.fromHostTree(model.parameters)
    const empty = Tree.map<Spec, HostArray.HostArray, unknown>(
      model.stateSpec(model.contextLength),
      ({ shape, dtype }) => HostArray.zeros(shape, dtype),
    )
    const choose = makeSampler()
    const continuation = Effect.gen(function* () {
      const found = new Int32Array(tokens)
      let state = yield* DeviceArray.fromHostTree(empty)
      let token = begin
      for (let position = 0; position < tokens; position++) {
        const result = yield* run({ parameters, state, token, position }, { donate: ["state"] })
        state = result.state
        const { data } = yield* DeviceArray.toHost(result.logits)
        DeviceArray.release(result.logits)
        token = found[position] = choose(data)
      }
      DeviceArray.release(state)
      return found
    })
    return { values: continuation, once: Effect.asVoid(continuation) } satisfies OwnSubject
  })

/** The public function from its call to its last token. */
const generated = (file: string, tokens: number) =>
  Effect.map(Stream.runCollect(generate(read(file), Int32Array.of(begin), { tokens })), (found) =>
    Int32Array.from(found),
  )

/** stories260K, one token at a time. There is no such case without the model file. */
export const decodeCases = (quick: boolean): ReadonlyArray<Case> => {
  const file = findData(path)
  if (file === undefined) return []
  const tokens = quick ? 20 : 250
  const given = { kind: "decode", file, tokens, begin }
  const whole = generated(file, tokens)
  const same = {
    work: { amount: tokens, unit: "token" },
    // Tokens are the same or not.
    tolerance: 0,
    reference: () => whole.pipe(Effect.provide(Interpreter.layer), Effect.runPromise),
  } as const
  return [
    {
      ...same,
      name: "decode",
      title: `greedy decoding of stories260K, ${tokens} tokens from the first, one at a time`,
      implementations: { ours: decoder(file, tokens), torch: given, llama2c: given },
      hostOverhead: true,
      targets: [{ kind: "rate", atLeast: 5000, aim: 10_000 }],
    },
    {
      ...same,
      name: "generate",
      title: `the same ${tokens} tokens by one call of generate, compilation included`,
      implementations: { ours: Effect.succeed({ values: whole, once: Effect.asVoid(whole) }) },
      targets: [],
    },
  ]
}
