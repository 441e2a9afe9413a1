import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Store } from "@espalier/pipeline"
import { Effect, FileSystem, Path } from "effect"
import { keepPathInput, placePathInput } from "./path_inputs.ts"

const makePlace = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-" })
  const at = (...parts: ReadonlyArray<string>) => path.join(folder, ...parts)
  yield* fileSystem.makeDirectory(at("model", "deep"), { recursive: true })
  yield* fileSystem.writeFileString(at("model", "a.json"), "{}")
  yield* fileSystem.writeFileString(at("model", "deep", "b.bin"), "bytes")
  return { at, fileSystem }
})

layer(NodeServices.layer)("paths that steps read", (it) => {
  it.effect("come out of the store as they went in, read-only and under their names", () =>
    Effect.gen(function* () {
      const { at, fileSystem } = yield* makePlace
      yield* Effect.gen(function* () {
        for (const name of ["model", "model/a.json"]) {
          const kept = yield* keepPathInput(at(name), undefined)
          assert.strictEqual((yield* keepPathInput(at(name), kept.sha256)).sha256, kept.sha256)
          const target = yield* placePathInput(kept, at("places"))
          assert.isTrue(target.endsWith(`/${name.split("/").at(-1)}`))
          assert.strictEqual(yield* placePathInput(kept, at("places")), target)
          const again = yield* keepPathInput(target, kept.sha256)
          assert.deepStrictEqual(again, kept)
          const file = name === "model" ? `${target}/deep/b.bin` : target
          assert.strictEqual((yield* fileSystem.stat(file)).mode & 0o777, 0o444)
        }
      }).pipe(Effect.provide(Store.layer(at("store"))))
    }),
  )

  it.effect("are refused where they are not what they were", () =>
    Effect.gen(function* () {
      const { at } = yield* makePlace
      const error = yield* keepPathInput(at("model"), "0".repeat(64)).pipe(
        Effect.flip,
        Effect.provide(Store.layer(at("store"))),
      )
      assert.strictEqual(error._tag, "InputChanged")
      const missing = yield* keepPathInput(at("nowhere"), undefined).pipe(
        Effect.flip,
        Effect.provide(Store.layer(at("store"))),
      )
      assert.strictEqual(missing._tag, "InputFileUnreadable")
    }),
  )
})
