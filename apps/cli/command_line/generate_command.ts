import { encodeDocument, generate } from "@espalier/models"
import { Clock, Effect, Option, Schema, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { deviceLayer } from "../device.ts"
import { readModel } from "../steps/model_files.ts"
import { locateFile } from "./locate_file.ts"
import { commonFlags } from "./common_flags.ts"
import { writeError, writeOut } from "./terminal.ts"

const Positive = Schema.Int.check(Schema.isGreaterThan(0))
const optional = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

const flags = {
  model: Flag.String("model").pipe(
    Flag.withDescription(
      "a llama2.c checkpoint, a GGUF file, or a folder in the Hugging Face layout; data:… is in the data folder",
    ),
  ),
  tokenizer: optional("tokenizer", "the tokenizer's file; a folder may hold its own"),
  prompt: Flag.String("prompt").pipe(
    Flag.withDescription("the text to continue"),
    Flag.withDefault(""),
  ),
  tokens: Flag.Int("tokens").pipe(
    Flag.withDescription("most tokens to generate"),
    Flag.withSchema(Positive),
    Flag.withDefault(256),
  ),
  temperature: Flag.Finite("temperature").pipe(
    Flag.withDescription(
      "0 (default) takes the most likely token; 1 samples as the model predicts",
    ),
    Flag.withSchema(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))),
    Flag.withDefault(0),
  ),
  topP: Flag.Finite("top-p").pipe(
    Flag.withDescription("sample among the likeliest tokens of this total probability"),
    Flag.withSchema(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))),
    Flag.withDefault(1),
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("same seed, same text"), Flag.withDefault(0)),
  maxContext: Flag.Int("max-context").pipe(
    Flag.withDescription("positions of the key-value cache (default: the model's context)"),
    Flag.withSchema(Positive),
    Flag.optional,
  ),
  data: commonFlags.data,
  device: commonFlags.device,
}

/** `espalier generate`: continues a text, printing it as it comes. */
export const generateCommand = Command.make(
  "generate",
  flags,
  Effect.fnUntraced(function* (options) {
    const modelFile = yield* locateFile(options.model, "--model", options.data)
    const tokenizerFile = Option.isNone(options.tokenizer)
      ? undefined
      : yield* locateFile(options.tokenizer.value, "--tokenizer", options.data)
    const { model, tokenizer } = yield* readModel(modelFile, tokenizerFile)
    const prompt = encodeDocument(tokenizer, options.prompt)
    const decoder = tokenizer.decoder()
    const stop = [tokenizer.begin, tokenizer.end].filter((token) => token !== undefined)
    const maxContext = Option.getOrUndefined(options.maxContext)
    const { tokens, temperature, topP, seed } = options
    const started = yield* Clock.currentTimeMillis
    let generated = 0
    let told = false
    // Not before the model has answered: a prompt that it refuses is not printed.
    const tellPrompt = Effect.suspend(() => {
      if (told) return Effect.void
      told = true
      return writeOut(Array.from(prompt, (token) => decoder.push(token)).join(""))
    })
    yield* generate(model, prompt, {
      tokens,
      temperature,
      topP,
      seed,
      stop,
      ...(maxContext === undefined ? {} : { maxContext }),
    }).pipe(
      Stream.runForEach((token) => {
        generated++
        return Effect.andThen(
          tellPrompt,
          Effect.suspend(() => writeOut(decoder.push(token))),
        )
      }),
      Effect.provide(deviceLayer(options.device)),
    )
    yield* tellPrompt
    yield* writeOut(`${decoder.flush()}\n`)
    const seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
    const rate = Math.round(generated / Math.max(seconds, 0.001))
    yield* writeError(`${generated} tokens in ${seconds.toFixed(2)} s, ${rate} a second\n`)
  }),
).pipe(Command.withDescription("Continue a text with a model, token by token"))
