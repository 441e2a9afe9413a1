import { cutWindows, tokenStream } from "@espalier/models"
import { Notices } from "@espalier/runtime"
import { Effect, Schema } from "effect"
import type { ModelValue } from "../artifacts/model.ts"
import type { TextValue } from "../artifacts/text.ts"

const Count = Schema.Int.check(Schema.isGreaterThan(0))

/** The configuration keys of every step that reads text through a model. */
export const windowFields = {
  window: Schema.Int.check(Schema.isGreaterThan(1)).annotate({ description: "tokens per window" }),
  join: Schema.String.annotate({
    description: '"documents", or the text between documents ("\\n\\n" is the WikiText protocol)',
  }).pipe(Schema.withDecodingDefault(Effect.succeed("documents"))),
  batch: Count.annotate({ description: "windows that run at once" }).pipe(
    Schema.withDecodingDefault(Effect.succeed(8)),
  ),
}

/** The keys of steps that calibrate on some of the windows. */
export const calibrationFields = {
  ...windowFields,
  samples: Count.annotate({ description: "calibration windows to use" }).pipe(
    Schema.withDecodingDefault(Effect.succeed(128)),
  ),
  sampling: Schema.Literals(["first", "random"])
    .annotate({ description: "the first windows of the text, or random ones" })
    .pipe(Schema.withDecodingDefault(Effect.succeed("first" as const))),
  seed: Schema.optionalKey(
    Schema.Int.annotate({ description: "of random sampling, instead of the pipeline's seed" }),
  ),
}

/** The windows of a text for a model; fewer than asked for is reported. */
export const windowsOf = Effect.fnUntraced(function* (
  { model, tokenizer }: ModelValue,
  text: TextValue,
  options: {
    readonly window: number
    readonly join: string
    readonly samples?: number
    readonly sampling?: "first" | "random"
    readonly seed?: number
  },
) {
  const { join, ...rest } = options
  const stream = tokenStream(tokenizer, text.documents, join)
  const cut = yield* Effect.fromResult(
    cutWindows(stream, { ...rest, contextLength: model.contextLength }),
  )
  if (options.samples !== undefined && cut.available < options.samples) {
    yield* Notices.report(
      `asked for ${options.samples} windows of ${options.window} tokens, the text has ${cut.available}`,
    )
  }
  return cut.windows
})
