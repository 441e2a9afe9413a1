import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { makeLlamaConfig, openCheckpoint } from "@espalier/models"
import type { StoredDType } from "@espalier/models"
import type { HostArray } from "@espalier/tensor"
import { Tree } from "@espalier/tensor"
import { Effect, Result } from "effect"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeRandomCheckpoint } from "./random_checkpoint.ts"

const config = Result.getOrThrow(
  makeLlamaConfig({
    dimension: 64,
    hiddenDimension: 96,
    layers: 3,
    heads: 4,
    keyValueHeads: 2,
    vocabularySize: 500,
    contextLength: 32,
    tiedEmbeddings: false,
  }),
)

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "espalier-random-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true })),
)

describe("a random checkpoint", () => {
  for (const dtype of ["F32", "F16", "BF16"] satisfies ReadonlyArray<StoredDType>) {
    it.effect(`in ${dtype} can be read, with weights of the deviation that was asked for`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const options = { config, dtype, shardBytes: 100_000, words: 1000, seed: 1 }
        writeRandomCheckpoint(folder, options)
        const { model, files, read } = yield* openCheckpoint(folder)
        assert.isAbove(files.length, 2)
        for (const leaf of Tree.leaves<HostArray.HostArray>(yield* read(model.parameters))) {
          const { shape, data } = leaf
          const deviation = Math.hypot(...data) / Math.sqrt(data.length)
          assert.closeTo(deviation, shape.length === 1 ? 1 : 0.02, 0.001)
        }
      }).pipe(Effect.provide(NodeServices.layer)),
    )
  }

  it.effect("has the same bytes for the same options, and others for another seed", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const contents = (seed: number, name: string) => {
        const path = join(folder, name)
        const options = { config, dtype: "BF16", shardBytes: 1e9, words: 100, seed } as const
        writeRandomCheckpoint(path, options)
        return readdirSync(path).map((file) => [file, readFileSync(join(path, file), "latin1")])
      }
      const first = contents(1, "a")
      assert.deepStrictEqual(contents(1, "b"), first)
      assert.notDeepEqual(contents(2, "c"), first)
    }),
  )
})
