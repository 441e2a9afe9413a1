import {
  anthropic,
  type BudgetLimits,
  budgetLayer,
  type CassetteFileError,
  cassetteLayer,
  type CassetteMode,
  languageModelLayer as layerOf,
  Ledger,
  type LedgerService,
  makeLedger,
  openAi,
  printLedger,
  type Sampling,
  summarizeLedger,
} from "@espalier/llm"
import {
  type DataFolderMissing,
  type InputFileMissing,
  type PathOutsideSandbox,
} from "@espalier/pipeline"
import {
  Config,
  Effect,
  type FileSystem,
  Layer,
  Option,
  type Path,
  type Redacted,
  Schema,
} from "effect"
import type { LanguageModel } from "effect/ai"
import { FetchHttpClient } from "effect/http"
import { type DeviceChoice } from "../command_line/application.ts"
import { writeError } from "../command_line/terminal.ts"
import { locateFile } from "../command_line/locate_file.ts"
import type { ChatTemplateName } from "./chat_template.ts"
import { type LoadedModel, loadModelFile, makeLocalProvider } from "./local_provider.ts"

/** What `languageModelFlags` are set to. */
export interface LanguageModelChoice {
  readonly provider: Option.Option<"local" | "openai" | "anthropic">
  readonly model: Option.Option<string>
  readonly baseUrl: Option.Option<string>
  readonly temperature: Option.Option<number>
  readonly topP: Option.Option<number>
  readonly maxTokens: Option.Option<number>
  readonly samplingSeed: Option.Option<number>
  readonly cassette: Option.Option<string>
  readonly cassetteMode: Option.Option<CassetteMode>
  readonly budgetCost: Option.Option<number>
  readonly budgetTokens: Option.Option<number>
  readonly budgetRequests: Option.Option<number>
  readonly chatTemplate: Option.Option<ChatTemplateName>
  readonly llmTokenizer: Option.Option<string>
  readonly llmDevice: DeviceChoice
  /** The data folder that `data:` stands for, where a command has the flag. */
  readonly data?: Option.Option<string>
}

/** The flags that choose a language model do not go together. */
export class InvalidLanguageModelChoice extends Schema.TaggedError<InvalidLanguageModelChoice>()(
  "InvalidLanguageModelChoice",
  { flag: Schema.String, problem: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `${this.flag}: ${this.problem}. ${this.hint}`
  }
}

/** What can be wrong before the first question is asked. */
export type LanguageModelSetupError =
  | CassetteFileError
  | Config.ConfigError
  | DataFolderMissing
  | InputFileMissing
  | InvalidLanguageModelChoice
  | PathOutsideSandbox

const given = <Key extends string, A>(
  key: Key,
  option: Option.Option<A>,
): { readonly [K in Key]?: A } =>
  Option.isSome(option) ? ({ [key]: option.value } as { readonly [K in Key]: A }) : {}

const samplingOf = (choice: LanguageModelChoice): Sampling => ({
  ...given("temperature", choice.temperature),
  ...given("topP", choice.topP),
  ...given("maxTokens", choice.maxTokens),
  ...given("seed", choice.samplingSeed),
})

const limitsOf = (choice: LanguageModelChoice): BudgetLimits => ({
  ...given("cost", choice.budgetCost),
  ...given("tokens", choice.budgetTokens),
  ...given("requests", choice.budgetRequests),
})

const isRemote = (choice: LanguageModelChoice) =>
  Option.isSome(choice.provider) && choice.provider.value !== "local"

/** What does not go together, or is missing. */
const check = Effect.fnUntraced(function* (choice: LanguageModelChoice) {
  const refuse = (flag: string, problem: string, hint: string) =>
    new InvalidLanguageModelChoice({ flag, problem, hint })
  if (Option.isNone(choice.provider)) {
    return yield* refuse("--provider", "no provider was named", "Name local, openai or anthropic.")
  }
  if (Option.isNone(choice.model)) {
    return yield* refuse(
      "--model",
      "no model was named",
      choice.provider.value === "local"
        ? "Name a model's file or folder."
        : "Name it as the server knows it, e.g. gpt-4.1-mini, claude-haiku-4-5 or qwen3:8b.",
    )
  }
  if (Option.isSome(choice.cassetteMode) && Option.isNone(choice.cassette)) {
    return yield* refuse(
      "--cassette-mode",
      "there is no cassette",
      "Name its file with --cassette.",
    )
  }
  if (Option.isSome(choice.baseUrl) && !isRemote(choice)) {
    return yield* refuse(
      "--base-url",
      "a local model has no server",
      "Leave it out, or use --provider openai for a server on this machine.",
    )
  }
  if (Option.isSome(choice.baseUrl) && !URL.canParse(choice.baseUrl.value)) {
    return yield* refuse("--base-url", "this is no URL", "Write it like http://localhost:11434/v1.")
  }
  for (const [flag, value] of [
    ["--chat-template", choice.chatTemplate],
    ["--llm-tokenizer", choice.llmTokenizer],
  ] as const) {
    if (Option.isSome(value) && isRemote(choice)) {
      return yield* refuse(flag, "it is for local models alone", "Leave it out.")
    }
  }
  return { provider: choice.provider.value, model: choice.model.value }
})

const keys = { openai: "OPENAI_API_KEY", anthropic: "ANTHROPIC_API_KEY" }
const urls = { openai: "OPENAI_BASE_URL", anthropic: "ANTHROPIC_BASE_URL" }

/** The vendors' own servers answer nobody without a key: said before the first question. */
const checkKey = Effect.fnUntraced(function* (
  provider: "openai" | "anthropic",
  choice: LanguageModelChoice,
) {
  const elsewhere =
    Option.isSome(choice.baseUrl) ||
    Option.isSome(yield* Config.option(Config.String(urls[provider])))
  const strict = Option.isSome(choice.cassetteMode) && choice.cassetteMode.value === "strict"
  if (elsewhere || strict) return
  if (Option.isSome(yield* Config.option(Config.Redacted(keys[provider])))) return
  return yield* new InvalidLanguageModelChoice({
    flag: "--provider",
    problem: `${provider} asks for a key, and ${keys[provider]} is not set`,
    hint: `Set ${keys[provider]}, or name another server with --base-url.`,
  })
})

/** The model that `--model` names. */
const loadNamed = Effect.fnUntraced(function* (model: string, choice: LanguageModelChoice) {
  const data = choice.data ?? Option.none()
  const strict = Option.isSome(choice.cassetteMode) && choice.cassetteMode.value === "strict"
  const tokenizer = Option.getOrUndefined(choice.llmTokenizer)
  // A strict cassette answers for a model that is not there.
  const file = strict ? model : yield* locateFile(model, "--model", data)
  const tokenizerFile =
    tokenizer === undefined || strict
      ? tokenizer
      : yield* locateFile(tokenizer, "--llm-tokenizer", data)
  return loadModelFile(file, { tokenizerFile, device: choice.llmDevice })
})

const localLayer = <E extends { readonly message: string }, R>(
  name: string,
  choice: LanguageModelChoice,
  load: Effect.Effect<LoadedModel, E, R>,
) =>
  layerOf(
    makeLocalProvider({
      name,
      load,
      chatTemplate: Option.getOrElse(choice.chatTemplate, () => "plain" as const),
      ...samplingOf(choice),
    }),
  )

const remoteLayer = (
  provider: "openai" | "anthropic",
  model: string,
  choice: LanguageModelChoice,
) => {
  const options = { model, ...samplingOf(choice), ...given("baseUrl", choice.baseUrl) }
  const layer = provider === "openai" ? openAi(options) : anthropic(options)
  return Layer.unwrap(
    Effect.as(checkKey(provider, choice), Layer.provide(layer, FetchHttpClient.layer)),
  )
}

/** The keys of the environment, whoever asks: a prompt may hold the other vendor's. */
const keysThere = Effect.gen(function* () {
  const found = yield* Effect.forEach(Object.values(keys), (key) =>
    Config.option(Config.Redacted(key)),
  )
  return found.flatMap((key): ReadonlyArray<Redacted.Redacted> => Option.toArray(key))
})

const cassetteOf = (choice: LanguageModelChoice) => {
  if (Option.isNone(choice.cassette)) return Layer.empty
  const file = choice.cassette.value
  return Layer.unwrap(
    Effect.map(keysThere, (secrets) =>
      cassetteLayer({ file, secrets, ...given("mode", choice.cassetteMode) }),
    ),
  )
}

/** Tells what was used, once, if anything was. */
const tellLedger = Effect.fnUntraced(function* (ledger: LedgerService) {
  const entries = yield* ledger.entries
  if (entries.length > 0) yield* writeError(`llm: ${printLedger(summarizeLedger(entries))}\n`)
})

/** What a pipeline's step has and a command has not. */
export interface LanguageModelOptions {
  /** The local model, loaded already. */
  readonly loaded?: LoadedModel
  /** Whether what was used is told on standard error when the layer closes. Yes by default. */
  readonly tells?: boolean
}

/** The language model that the flags choose, with its cassette, budget and ledger. */
export const languageModelLayer = (
  choice: LanguageModelChoice,
  { loaded, tells = true }: LanguageModelOptions = {},
): Layer.Layer<
  LanguageModel.LanguageModel,
  LanguageModelSetupError,
  FileSystem.FileSystem | Path.Path
> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { provider, model } = yield* check(choice)
      const ledger = yield* Effect.acquireRelease(makeLedger, (kept) =>
        tells ? tellLedger(kept) : Effect.void,
      )
      const around = Layer.mergeAll(
        Layer.succeed(Ledger, ledger),
        budgetLayer(limitsOf(choice)),
        cassetteOf(choice),
      )
      const answering: Layer.Layer<
        LanguageModel.LanguageModel,
        LanguageModelSetupError,
        FileSystem.FileSystem | Path.Path
      > =
        provider !== "local"
          ? remoteLayer(provider, model, choice)
          : loaded === undefined
            ? localLayer(model, choice, yield* loadNamed(model, choice))
            : localLayer(model, choice, Effect.succeed(loaded))
      return Layer.merge(around, answering)
    }),
  )
