import { Step, unreadable } from "@espalier/pipeline"
import { Notices } from "@espalier/runtime"
import { Effect, FileSystem, Schema } from "effect"
import { Text } from "../artifacts/text.ts"
import { readDocuments, selectDocuments } from "./read_documents.ts"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** `text/load`: documents from a file. */
export const textLoad = Step.define({
  use: "text/load",
  description:
    "Reads documents from a .jsonl, .ndjson or .json file, or one document from a text file.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    path: Schema.String.annotate({ description: "the file" }),
    field: Schema.optionalKey(
      Schema.NonEmptyString.annotate({
        description: "the key of the text, where items are objects",
      }),
    ),
    skip: Count.annotate({
      description: "how many documents to leave out at the beginning",
    }).pipe(Schema.withDecodingDefault(Effect.succeed(0))),
    take: Schema.optionalKey(
      Schema.Int.check(Schema.isGreaterThan(0)).annotate({
        description: "how many documents to take at most",
      }),
    ),
    split: Schema.optionalKey(
      Schema.NonEmptyString.annotate({
        description: 'what parts the documents of a text file, e.g. "<|endoftext|>"',
      }),
    ),
  }),
  paths: ["path"],
  limited: ["take"],
  outputs: { text: Text },
  run: ({ config, paths }) =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const content = yield* Effect.mapError(
        fileSystem.readFileString(paths.path),
        unreadable(paths.path),
      )
      const all = yield* Effect.fromResult(readDocuments(paths.path, content, config))
      const documents = yield* selectDocuments(paths.path, all, config)
      if (config.take !== undefined && documents.length < config.take) {
        yield* Notices.report(
          `asked for ${config.take} documents, the file has ${documents.length} after skipping ${config.skip}`,
        )
      }
      const characters = documents.reduce((sum, document) => sum + document.length, 0)
      return {
        outputs: { text: { documents } },
        metrics: { documents: documents.length, characters },
      }
    }),
})
