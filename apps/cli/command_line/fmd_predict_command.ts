import { readItems } from "@espalier/misinformation"
import { Notices } from "@espalier/runtime"
import { Effect, Exit, Option, Path, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { languageModelFlags, languageModelLayer, tellFailures } from "../language_models/mod.ts"
import { readDetector } from "../misinformation/detector_folder.ts"
import { hashFile } from "../misinformation/input_files.ts"
import { type Ask, askDetector, makeAskModel, predictFile } from "../misinformation/predict.ts"
import { openPredictionFile } from "../misinformation/prediction_file.ts"
import { locateFile } from "./locate_file.ts"
import { formatCount } from "./table.ts"
import { brokenFlag, dataFlag, jsonFlag } from "./fmd_flags.ts"
import { tellWork } from "./tell_work.ts"
import { writeOut } from "./terminal.ts"

const Count = Schema.Int.check(Schema.isGreaterThan(0))

/** Nobody was named who could judge the claims. */
class DetectorMissing extends Schema.TaggedError<DetectorMissing>()("DetectorMissing", {
  hint: Schema.String,
}) {
  override get message(): string {
    return "there is nobody to ask: neither a detector nor a language model was named"
  }
}

const flags = {
  file: Argument.String("FILE").pipe(
    Argument.withDescription("JSON lines with an instruction, as in FMD_val.json"),
  ),
  out: Flag.String("out").pipe(Flag.withDescription("the file of predictions to write")),
  agent: Flag.Literals("agent", ["embedded", "llm"]).pipe(
    Flag.withDescription(
      "who judges: a trained detector, or a language model (default where --provider is given)",
    ),
    Flag.optional,
  ),
  detector: Flag.String("detector").pipe(
    Flag.withDescription("the folder that espalier fmd train wrote"),
    Flag.optional,
  ),
  words: Flag.Int("words").pipe(
    Flag.withSchema(Count),
    Flag.withDescription(
      "most words of an explanation of the detector (default: what it has learnt)",
    ),
    Flag.optional,
  ),
  examples: Flag.String("examples").pipe(
    Flag.withDescription("llm: JSON lines with right answers, of which the likest are shown"),
    Flag.optional,
  ),
  shots: Flag.Int("shots").pipe(
    Flag.withSchema(Count),
    Flag.withDescription("llm: how many examples are shown"),
    Flag.withDefault(3),
  ),
  skipBroken: brokenFlag,
  data: dataFlag,
  json: jsonFlag,
  ...languageModelFlags,
}

/** `espalier fmd predict FILE --out FILE`. */
export const fmdPredictCommand = Command.make(
  "predict",
  flags,
  Effect.fnUntraced(function* (options) {
    const path = yield* Path.Path
    const final = path.resolve(options.out)
    const { data, skipBroken, shots } = options
    const file = yield* locateFile(options.file, "FILE", data)
    const usesModel = Option.isSome(options.agent)
      ? options.agent.value === "llm"
      : Option.isSome(options.provider)
    const located = (given: Option.Option<string>, flag: string) =>
      Option.isNone(given) ? Effect.undefined : locateFile(given.value, flag, data)
    const examplesFile = yield* located(options.examples, "--examples")
    const detectorFolder = yield* located(options.detector, "--detector")
    const words = Option.getOrUndefined(options.words)
    const { provider, model, baseUrl, temperature, topP, maxTokens, samplingSeed } = options
    const job = {
      input: yield* hashFile(file),
      skipBroken,
      ...(usesModel
        ? {
            model: [provider, model, baseUrl, temperature, topP, maxTokens, samplingSeed].map(
              (each) => Option.getOrNull<string | number>(each),
            ),
            examples: examplesFile === undefined ? null : yield* hashFile(examplesFile),
            shots,
          }
        : {
            detector:
              detectorFolder === undefined
                ? null
                : yield* hashFile(path.join(detectorFolder, "parameters.bin")),
            words: words ?? null,
          }),
    }

    /** Writes the answers, and tells what they are; what was answered is kept whatever ends the work. */
    const write = <E, R>(ask: Ask<E, R>) =>
      Effect.gen(function* () {
        const predictions = yield* openPredictionFile(final, job)
        const { work, counts } = yield* predictFile(file, predictions, ask, { skipBroken })
        const exit = yield* Effect.exit(work)
        const complete = Exit.isSuccess(exit)
        if (complete) yield* predictions.finish
        const { items, ...rest } = yield* counts
        if (!complete && items > 0) {
          yield* Notices.report(
            `${formatCount(items, "prediction")} ${items === 1 ? "is" : "are"} kept in ${predictions.partial}: the same command goes on from there`,
          )
        }
        const told = { out: options.out, agent: usesModel ? "llm" : "embedded", complete, items }
        const document = { ...told, resumed: predictions.done, ...(usesModel ? rest : {}) }
        if (options.json) yield* writeOut(`${JSON.stringify(document, null, 2)}\n`)
        else if (complete) {
          const cited = usesModel
            ? `, ${rest.citations} citations of which ${rest.unfounded} do not stand in the context, ${rest.invalid} invalid answers`
            : ""
          yield* writeOut(`${options.out}: ${items} predictions${cited}\n`)
        }
        return yield* exit
      }).pipe(Effect.scoped)

    if (usesModel) {
      return yield* Effect.gen(function* () {
        const examples =
          examplesFile === undefined ? [] : yield* readItems(examplesFile, { skipBroken })
        yield* write(yield* makeAskModel(examples, shots))
      }).pipe(tellWork("fmd predict"), Effect.provide(languageModelLayer(options)), tellFailures)
    }
    if (detectorFolder === undefined) {
      return yield* new DetectorMissing({
        hint: "Give --detector DIR (espalier fmd train makes it), or --provider and --model.",
      })
    }
    const detector = yield* readDetector(detectorFolder)
    yield* write(askDetector(detector, words)).pipe(tellWork("fmd predict"))
  }),
).pipe(
  Command.withDescription(
    "Predict label and explanation of claims, in the challenge's format; an interrupted run goes on where it was",
  ),
)
