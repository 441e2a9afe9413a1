import { decodeTree, encodeTree } from "@espalier/nn"
import { HostArray } from "@espalier/tensor"
import { Effect, Option, Result, Schema } from "effect"
import { featureWidth } from "./claim_features.ts"
import type { Detector } from "./detector.ts"
import { DetectorFormatError } from "./errors.ts"
import { explainerShapes } from "./explainer.ts"
import { labels } from "./label.ts"

/** Of the features and what is kept of them: another version's numbers mean something else. */
const version = 2

const Settings = Schema.Struct({
  format: Schema.Literal("espalier-fmd-detector"),
  version: Schema.Int,
  source: Schema.Literals(["claim and context", "claim", "context"]),
  temperature: Schema.Finite.check(Schema.isGreaterThan(0)),
  linkTraces: Schema.Boolean,
  /** The most words of an explanation; absent where there is no limit. */
  budget: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0))),
  hidden: Schema.Int.check(Schema.isGreaterThan(0)),
})
const SettingsJson = Schema.fromJsonString(Settings)
const VocabularyJson = Schema.fromJsonString(
  Schema.Array(Schema.Tuple([Schema.String, Schema.Int])),
)

/** The files of a detector's folder, by name. */
export type DetectorFiles = Readonly<Record<string, Uint8Array>>

/** The files of a detector. */
export const encodeDetector = ({ vocabulary, classifier, explainer }: Detector): DetectorFiles => {
  const settings = {
    format: "espalier-fmd-detector",
    version,
    source: classifier.source,
    temperature: classifier.temperature,
    linkTraces: explainer.linkTraces,
    hidden: explainer.parameters.hiddenBias.shape[0],
    ...(Number.isFinite(explainer.budget) ? { budget: explainer.budget } : {}),
  } as const
  const encoder = new TextEncoder()
  return {
    "detector.json": encoder.encode(`${Schema.encodeSync(SettingsJson)(settings)}\n`),
    "vocabulary.json": encoder.encode(`${JSON.stringify([...vocabulary])}\n`),
    "parameters.bin": encodeTree({
      classifier: classifier.parameters,
      explainer: explainer.parameters,
    }),
  }
}

const refuse = (file: string, detail: string) =>
  new DetectorFormatError({
    file,
    detail,
    hint: "Give the folder that espalier fmd train wrote, or train it anew.",
  })

const textOf = (files: DetectorFiles, name: string) => {
  const bytes = files[name]
  return bytes === undefined
    ? Result.fail(refuse(name, "there is no such file"))
    : Result.succeed(new TextDecoder().decode(bytes))
}

/** The detector that {@link encodeDetector} wrote. */
export const decodeDetector = Effect.fnUntraced(function* (
  files: DetectorFiles,
): Effect.fn.Return<Detector, DetectorFormatError> {
  const readJson = <A>(name: string, schema: Schema.Codec<A, string>) =>
    Effect.fromResult(textOf(files, name)).pipe(
      Effect.flatMap(Schema.decodeUnknownEffect(schema)),
      Effect.catchTag("SchemaError", ({ message }) =>
        Effect.fail(refuse(name, message.split("\n")[0])),
      ),
    )
  const settings = yield* readJson("detector.json", SettingsJson)
  if (settings.version !== version) {
    const detail = `it is of version ${settings.version}, and this is version ${version}`
    return yield* refuse("detector.json", detail)
  }
  const vocabulary = yield* readJson("vocabulary.json", VocabularyJson)
  const like = {
    classifier: {
      weights: HostArray.zeros([labels.length, featureWidth]),
      bias: HostArray.zeros([labels.length]),
      scales: HostArray.zeros([featureWidth]),
    },
    explainer: explainerShapes(settings.hidden),
  }
  const bytes = files["parameters.bin"]
  const parameters = bytes === undefined ? Option.none() : decodeTree(bytes, like)
  if (Option.isNone(parameters)) {
    return yield* refuse("parameters.bin", "it is missing, damaged or of another version")
  }
  const { source, temperature, linkTraces, budget = Number.POSITIVE_INFINITY } = settings
  return {
    vocabulary: new Map(vocabulary),
    classifier: { source, temperature, parameters: parameters.value.classifier },
    explainer: { linkTraces, budget, parameters: parameters.value.explainer },
  }
})
