import { unreadable } from "@espalier/pipeline"
import type { Device } from "@espalier/tensor"
import type { Path } from "effect"
import { Effect, FileSystem, Option } from "effect"
import type { ModelValue } from "../artifacts/model.ts"
import type { TextValue } from "../artifacts/text.ts"
import { readModel } from "../steps/model_files.ts"
import { readDocuments, selectDocuments } from "../steps/read_documents.ts"
import { refuseSizes } from "../steps/train.ts"
import type { FreshModelError } from "../steps/train_model.ts"
import { freshModel, newTokenizer } from "../steps/train_model.ts"
import { locateFile } from "./locate_file.ts"
import type { TrainFlags } from "./train_flags.ts"

/** The options that were given, without those that were not. */
export const given = <T extends Readonly<Record<string, Option.Option<unknown>>>>(options: T) =>
  Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) =>
      Option.isSome(value) ? [[name, value.value]] : [],
    ),
  ) as { readonly [K in keyof T]?: Option.Option.Value<T[K]> }

const readText = Effect.fnUntraced(function* (flags: TrainFlags, name: string, flag: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const file = yield* locateFile(name, flag, flags.data)
  const content = yield* Effect.mapError(fileSystem.readFileString(file), unreadable(file))
  const { field, split } = given({ field: flags.field, split: flags.split })
  const all = yield* Effect.fromResult(readDocuments(file, content, { field, split }))
  const text: TextValue = { documents: yield* selectDocuments(file, all, { skip: 0 }) }
  return text
})

/** The text to learn from, and the one to measure on if there is one. */
export const readTexts = Effect.fnUntraced(function* (flags: TrainFlags) {
  return {
    text: yield* readText(flags, flags.file, "FILE"),
    evaluation: Option.isNone(flags.evaluation)
      ? undefined
      : yield* readText(flags, flags.evaluation.value, "--eval"),
  }
})

type Failure<F extends (...given: never) => Effect.Effect<unknown, unknown, unknown>> =
  Effect.Error<ReturnType<F>>

/** The model that training begins with: the one of `--model`, or a new one of the sizes asked for. */
export const startModel = Effect.fnUntraced(function* (
  flags: TrainFlags,
  text: TextValue,
): Effect.fn.Return<
  ModelValue,
  | FreshModelError
  | Failure<typeof locateFile | typeof readModel | typeof newTokenizer | typeof refuseSizes>,
  Device | FileSystem.FileSystem | Path.Path
> {
  const { dimension, hiddenDimension, layers, heads, keyValueHeads, contextLength } = flags
  const sizes = given({ dimension, hiddenDimension, layers, heads, keyValueHeads, contextLength })
  const { vocabulary } = given({ vocabulary: flags.vocabulary })
  const tokenizerFile = Option.isNone(flags.tokenizer)
    ? undefined
    : yield* locateFile(flags.tokenizer.value, "--tokenizer", flags.data)
  if (Option.isSome(flags.model)) {
    yield* refuseSizes({ ...sizes, ...(vocabulary === undefined ? {} : { vocabulary }) })
    return yield* readModel(
      yield* locateFile(flags.model.value, "--model", flags.data),
      tokenizerFile,
    )
  }
  const tokens = { file: tokenizerFile, vocabulary: vocabulary ?? 8192 }
  const tokenizer = yield* newTokenizer(text, tokens)
  const all = {
    dimension: 64,
    hiddenDimension: 176,
    layers: 4,
    heads: 4,
    keyValueHeads: sizes.heads ?? 4,
    contextLength: Option.getOrElse(flags.window, () => usualWindow),
    ...sizes,
  }
  return yield* freshModel(all, tokenizer, flags.seed)
})

/** The window where none is asked for, if the model takes it. */
export const usualWindow = 128
