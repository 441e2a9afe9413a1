import { typedStreamErrors } from "@espalier/llm"
import { Effect, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { Argument, Command, Flag } from "effect/cli"
import { languageModelFlags, languageModelLayer, tellFailures } from "../language_models/mod.ts"
import { commonFlags } from "./common_flags.ts"
import { tellWork } from "./tell_work.ts"
import { writeOut } from "./terminal.ts"

const flags = {
  prompt: Argument.String("prompt").pipe(Argument.withDescription("the question")),
  system: Flag.String("system").pipe(
    Flag.withDescription("what the model is told before the question"),
    Flag.withDefault(""),
  ),
  ...languageModelFlags,
  data: commonFlags.data,
}

/** `espalier ask`: one question to a language model, the answer printed as it comes. */
export const askCommand = Command.make(
  "ask",
  flags,
  Effect.fnUntraced(function* (options) {
    const question = { role: "user", content: options.prompt } as const
    const prompt =
      options.system === ""
        ? [question]
        : [{ role: "system", content: options.system } as const, question]
    yield* LanguageModel.streamText({ prompt }).pipe(
      typedStreamErrors,
      Stream.runForEach((part) =>
        part.type === "text-delta" ? writeOut(part.delta) : Effect.void,
      ),
      Effect.andThen(writeOut("\n")),
      tellWork("ask"),
      Effect.provide(languageModelLayer(options)),
      tellFailures,
    )
  }),
).pipe(Command.withDescription("Ask a language model one question"))
