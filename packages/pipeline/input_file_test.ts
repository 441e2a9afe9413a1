import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Option } from "effect"
import { locateInputFile, unreadable } from "./input_file.ts"
import { makeWorkplace } from "./testing/workplace.ts"

layer(NodeServices.layer)("input files", (it) => {
  const locate = (given: string, folder: string, data?: string) =>
    locateInputFile({
      given,
      folder,
      dataFolder: { path: Option.fromNullishOr(data), lookedFor: ["--data (not given)"] },
      place: { file: `--model ${given}`, at: "" },
      relativeTo: "the current folder",
    })

  it.effect("are found beside the pipeline or in the data folder", () =>
    Effect.gen(function* () {
      const { at, write } = yield* makeWorkplace
      yield* write("a.bin", "1")
      assert.strictEqual(yield* locate("a.bin", at()), at("a.bin"))
      assert.strictEqual(yield* locate("data:a.bin", "/", at()), at("a.bin"))
      const data = yield* Effect.flip(locate("data:a.bin", at()))
      assert.strictEqual(data._tag, "DataFolderMissing")
      const missing = yield* Effect.flip(locate("b.bin", at()))
      assert.strictEqual(missing._tag, "InputFileMissing")
      assert.match(missing.message, /^--model b\.bin: there is no file or folder .*b\.bin/)
      assert.match(missing.hint, /did you mean "a\.bin"/)
      assert.match(
        (yield* Effect.flip(locate("no/b.bin", at()))).hint,
        /relative to the current folder/,
      )
    }),
  )

  it.effect("that cannot be read say so in words", () =>
    Effect.gen(function* () {
      const { at, run, fileSystem } = yield* makeWorkplace
      const error = yield* Effect.flip(
        FileSystem.FileSystem.pipe(
          Effect.flatMap((files) => files.readFile(at())),
          Effect.mapError(unreadable(at())),
        ),
      )
      assert.strictEqual(error.message, `cannot read ${at()}: it is a folder`)
      yield* fileSystem.makeDirectory(at("model"))
      yield* fileSystem.symlink(at("nowhere"), at("model", "weights"))
      const text = "name: a\nsteps: { s: { use: test/read, path: model } }\n"
      const broken = yield* Effect.flip(run(text))
      assert.strictEqual(broken._tag, "InputFileUnreadable")
      assert.match(broken.message, /cannot read .*model: it is not there/)
    }),
  )
})
