import { CalibrationMissing } from "@espalier/calibration"
import type { CausalLM } from "@espalier/models"
import { checkTokenizer } from "@espalier/models"
import { unreadable } from "@espalier/pipeline"
import { Effect, FileSystem, Option, Path, Schema } from "effect"
import { Argument, Flag } from "effect/cli"
import { encodeModel } from "../artifacts/model.ts"
import { readModel, readTokenizer } from "../steps/model_files.ts"
import { readDocuments, selectDocuments } from "../steps/read_documents.ts"
import { windowsOf } from "../steps/windows.ts"
import { locateFile } from "./locate_file.ts"
import { commonFlags } from "./common_flags.ts"

const Positive = Schema.Int.check(Schema.isGreaterThan(0))
const count = (name: string, description: string) =>
  Flag.Int(name).pipe(Flag.withDescription(description), Flag.withSchema(Positive))
const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description))

/** What commands that change a checkpoint by a text have in common. */
export const calibrationFlags = {
  model: Argument.String("MODEL").pipe(
    Argument.withDescription(
      "a folder in the Hugging Face layout, a llama2.c checkpoint or a GGUF file; data:… is in the data folder",
    ),
  ),
  calibration: text("calibration", "a .jsonl, .json or text file of ordinary text").pipe(
    Flag.optional,
  ),
  option: text("option", "an option of the method, NAME=VALUE; may be repeated").pipe(
    Flag.atLeast(0),
  ),
  tokenizer: text("tokenizer", "the tokenizer's file; a folder may hold its own").pipe(
    Flag.optional,
  ),
  field: text("field", "the key of the text, where items of --calibration are objects").pipe(
    Flag.optional,
  ),
  window: count("window", "tokens per window (default: the model's context, at most 2048)").pipe(
    Flag.optional,
  ),
  samples: count("samples", "calibration windows to use").pipe(Flag.withDefault(128)),
  sampling: Flag.Literals("sampling", ["first", "random"]).pipe(
    Flag.withDescription("the first windows of the text, or random ones"),
    Flag.withDefault("first"),
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("of random windows"), Flag.withDefault(0)),
  batch: count("batch", "windows that run at once").pipe(Flag.withDefault(8)),
  layerErrors: Flag.Boolean("layer-errors").pipe(
    Flag.withDescription("measure what each layer loses, which takes memory and time"),
    Flag.withDefault(false),
  ),
  data: commonFlags.data,
  device: commonFlags.device,
  json: commonFlags.json,
}

/** The values of those of {@link calibrationFlags} that say which files are read, and what of them. */
export interface CalibrationChoices {
  readonly model: string
  readonly calibration: Option.Option<string>
  readonly tokenizer: Option.Option<string>
  readonly field: Option.Option<string>
  readonly window: Option.Option<number>
  readonly samples: number
  readonly sampling: "first" | "random"
  readonly seed: number
  readonly data: Option.Option<string>
}

/** Finds the files of the model. */
export const locateModel = Effect.fnUntraced(function* ({
  model,
  tokenizer,
  data,
}: CalibrationChoices) {
  return {
    file: yield* locateFile(model, "MODEL", data),
    tokenizerFile: Option.isNone(tokenizer)
      ? undefined
      : yield* locateFile(tokenizer.value, "--tokenizer", data),
  }
})

/** The checkpoint as a folder in the Hugging Face layout: itself, or made of it for as long as the scope lasts. */
export const folderOf = Effect.fnUntraced(function* (path: string, tokenizer: string | undefined) {
  const fileSystem = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const { type } = yield* Effect.mapError(fileSystem.stat(path), unreadable(path))
  if (type === "Directory") return path
  const files = yield* Effect.fromResult(encodeModel(yield* readModel(path, tokenizer)))
  const folder = yield* Effect.orDie(
    fileSystem.makeTempDirectoryScoped({ prefix: "espalier-model-" }),
  )
  for (const [name, bytes] of Object.entries(files)) {
    yield* Effect.orDie(fileSystem.writeFile(join(folder, name), bytes))
  }
  return folder
})

/** The calibration windows of a method that needs a text. */
export const readCalibration = Effect.fnUntraced(function* (
  method: string,
  choices: CalibrationChoices,
  {
    model,
    folder,
    tokenizerFile,
  }: {
    readonly model: CausalLM
    readonly folder: string
    readonly tokenizerFile: string | undefined
  },
) {
  if (Option.isNone(choices.calibration)) {
    return yield* new CalibrationMissing({ method, hint: "give --calibration FILE" })
  }
  const { tokenizer, file } = yield* readTokenizer(folder, tokenizerFile)
  yield* Effect.fromResult(checkTokenizer(tokenizer, model.vocabularySize, file))
  const path = yield* locateFile(choices.calibration.value, "--calibration", choices.data)
  const fileSystem = yield* FileSystem.FileSystem
  const content = yield* Effect.mapError(fileSystem.readFileString(path), unreadable(path))
  const field = Option.getOrUndefined(choices.field)
  const all = yield* Effect.fromResult(readDocuments(path, content, { field }))
  const documents = yield* selectDocuments(path, all, { skip: 0 })
  const { samples, sampling, seed } = choices
  const longest = Math.min(model.contextLength, 2048)
  const window = Option.getOrElse(choices.window, () => longest)
  const cut = { window, join: "documents", samples, sampling, seed }
  return yield* windowsOf({ model, tokenizer }, { documents }, cut)
})
