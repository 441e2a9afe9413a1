import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Notices } from "@espalier/runtime"
import { HostArray, Tree } from "@espalier/tensor"
import { Effect, Fiber } from "effect"
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import type { StoredDType } from "../stored_dtype.ts"
import {
  makeWatch,
  readFolder,
  temporaryFolder,
  watchedFiles,
  writeFolder,
} from "../testing/folders.ts"
import { randomArrays, tinyGpt2, tinyOpt } from "../testing/random_parameters.ts"
import { tinyLlama } from "../testing/tiny.ts"
import { openCheckpoint } from "./checkpoint.ts"
import { progressFile } from "./copy_progress.ts"
import { copyCheckpoint } from "./copy_checkpoint.ts"
import type { HuggingFaceModel } from "./model.ts"
import type { StoredArray } from "./stored_array.ts"

interface Folders {
  readonly source: string
  readonly out: string
  readonly partial: string
}

/** A source folder, and a place for its copy. */
const makeFolders = Effect.fnUntraced(function* (
  model: HuggingFaceModel = tinyLlama(),
  options: Parameters<typeof writeFolder>[2] = { shards: 2, dtype: "BF16" },
) {
  const folder = yield* temporaryFolder
  const [source, out] = [join(folder, "source"), join(folder, "out")]
  writeFolder(source, model, options)
  const folders: Folders = { source, out, partial: `${out}.partial` }
  return folders
})

const begin = Effect.fnUntraced(function* ({ source, out }: Folders, job = "job") {
  const checkpoint = yield* openCheckpoint(source)
  const copy = yield* copyCheckpoint(checkpoint, out, { job })
  const block = (i: number) =>
    checkpoint.model.blocks[i].parameters(checkpoint.model.parameters) as Record<
      string,
      StoredArray
    >
  return { checkpoint, copy, block }
})

const leavesOf = (tree: unknown) =>
  Tree.leaves<StoredArray>(tree).toSorted((a, b) => (a.name < b.name ? -1 : 1))

describe("copyCheckpoint", () => {
  it.effect("copies every file byte for byte where nothing is replaced", () =>
    Effect.gen(function* () {
      const folders = yield* makeFolders()
      const { copy } = yield* begin(folders)
      assert.strictEqual(copy.done, 0)
      assert.isFalse(existsSync(folders.out))
      yield* copy.finish
      assert.deepStrictEqual(readFolder(folders.out), readFolder(folders.source))
      assert.deepStrictEqual(readdirSync(join(folders.out, "..")).toSorted(), ["out", "source"])
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("replaces the bytes of one tensor and no others", () =>
    Effect.gen(function* () {
      const models = [tinyLlama({ attentionBias: true }), tinyGpt2(), tinyOpt()]
      for (const dtype of ["F32", "F16", "BF16"] satisfies ReadonlyArray<StoredDType>) {
        for (const model of models) {
          const folders = yield* makeFolders(model, { shards: 2, dtype })
          const source = readFolder(folders.source)
          const { checkpoint, copy } = yield* begin(folders)
          const draw = randomArrays(77)
          const replaced = new Map<StoredArray, HostArray.HostArray>()
          for (const stored of leavesOf(checkpoint.model.parameters)) {
            const value = draw(stored.shape)
            const { file, from, to } = checkpoint.tensors.get(stored.name)!
            const before = readFileSync(join(folders.partial, file))
            yield* copy.write(stored, value)
            const written = yield* copy.read(stored)
            replaced.set(stored, written)
            const after = readFileSync(join(folders.partial, file))
            assert.isTrue(before.subarray(0, from).equals(after.subarray(0, from)))
            assert.isTrue(before.subarray(to).equals(after.subarray(to)))
            const unit = dtype === "F32" ? 0 : dtype === "F16" ? 2 ** -11 : 2 ** -8
            written.data.forEach((number, i) =>
              assert.closeTo(number, value.data[i], Math.max(2 ** -25, unit * Math.abs(number))),
            )
          }
          yield* copy.finish
          const finished = yield* openCheckpoint(folders.out)
          for (const [stored, written] of replaced) {
            assert.deepStrictEqual(yield* finished.read(stored), written)
          }
          assert.deepStrictEqual(readFolder(folders.source), source)
        }
      }
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("writes back what was read without changing a bit", () =>
    Effect.gen(function* () {
      for (const model of [tinyLlama(), tinyGpt2(), tinyOpt({ embeddingDimension: 5 })]) {
        for (const dtype of ["F32", "F16", "BF16"] as const) {
          const folders = yield* makeFolders(model, { dtype })
          const { checkpoint, copy } = yield* begin(folders)
          for (const stored of leavesOf(checkpoint.model.parameters)) {
            yield* copy.write(stored, yield* checkpoint.read(stored))
          }
          yield* copy.finish
          assert.deepStrictEqual(readFolder(folders.out), readFolder(folders.source))
        }
      }
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("keeps zeros, infinities and NaN", () =>
    Effect.gen(function* () {
      const folders = yield* makeFolders(tinyLlama(), { dtype: "F16" })
      const { copy, block } = yield* begin(folders)
      const { down } = block(0)
      const value = HostArray.zeros(down.shape)
      value.data.set([0, -0, Infinity, -Infinity, NaN, 65504, 2 ** -24])
      yield* copy.write(down, value)
      assert.deepStrictEqual(yield* copy.read(down), value)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("refuses a number that the dtype cannot hold, and writes nothing of it", () =>
    Effect.gen(function* () {
      for (const [dtype, largest] of [
        ["F16", 65520],
        ["BF16", 3.4e38],
      ] as const) {
        const folders = yield* makeFolders(tinyLlama(), { dtype })
        const { copy, block } = yield* begin(folders)
        const { down } = block(1)
        const value = HostArray.zeros(down.shape)
        value.data[5] = largest
        const before = readFolder(folders.partial)
        const error = yield* Effect.flip(copy.write(down, value))
        assert.strictEqual(error._tag, "WeightOverflow")
        assert.match(error.message, /model\.layers\.1\.mlp\.down_proj\.weight has a weight of/)
        assert.deepStrictEqual(readFolder(folders.partial), before)
      }
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("goes on with a job that was interrupted, to the same bytes", () =>
    Effect.gen(function* () {
      const folders = yield* makeFolders()
      const work = Effect.fnUntraced(function* (stopAfter: number) {
        const { copy, block, checkpoint } = yield* begin(folders)
        const { done } = copy
        for (let i = done; i < 2; i++) {
          const own = block(i)
          for (const [j, stored] of Object.values(own).entries()) {
            if (i === stopAfter && j === 4) return done
            const { shape, data } = yield* checkpoint.read(stored)
            yield* copy.write(
              stored,
              HostArray.make(
                shape,
                data.map((value) => value / 3),
              ),
            )
          }
          yield* copy.markDone(i + 1)
        }
        yield* copy.finish
        return done
      })
      assert.strictEqual(yield* work(1), 0)
      assert.isFalse(existsSync(folders.out))
      assert.strictEqual(yield* work(2), 1)
      const resumed = readFolder(folders.out)
      rmSync(folders.out, { recursive: true })
      assert.strictEqual(yield* work(2), 0)
      assert.deepStrictEqual(readFolder(folders.out), resumed)
      assert.notDeepEqual(readFolder(folders.source), resumed)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  const anew: ReadonlyArray<readonly [string, (folders: Folders) => string]> = [
    ["another job", () => "another job"],
    [
      "a source with other weights",
      ({ source }) => {
        const path = join(source, "model-00002-of-00002.safetensors")
        const bytes = readFileSync(path)
        bytes[bytes.length - 1] ^= 1
        writeFileSync(path, bytes)
        return "job"
      },
    ],
    [
      "a source with another file",
      ({ source }) => {
        appendFileSync(join(source, "notes.txt"), "more")
        return "job"
      },
    ],
    [
      "a copy that lost a part of a file",
      ({ partial }) => {
        truncateSync(join(partial, "model-00001-of-00002.safetensors"), 100)
        return "job"
      },
    ],
    [
      "a copy whose progress is damaged",
      ({ partial }) => {
        truncateSync(join(partial, progressFile), 10)
        return "job"
      },
    ],
    [
      "a copy that was not finished copying",
      ({ partial }) => {
        rmSync(join(partial, progressFile))
        return "job"
      },
    ],
  ]
  for (const [what, change] of anew) {
    it.effect(`begins anew with ${what}`, () =>
      Effect.gen(function* () {
        const folders = yield* makeFolders()
        const first = yield* begin(folders)
        const { down } = first.block(0)
        yield* first.copy.write(down, HostArray.zeros(down.shape))
        yield* first.copy.markDone(1)
        const job = change(folders)
        const { copy } = yield* begin(folders, job)
        assert.strictEqual(copy.done, 0)
        yield* copy.finish
        assert.deepStrictEqual(readFolder(folders.out), readFolder(folders.source))
      }).pipe(Effect.provide(NodeServices.layer)),
    )
  }

  it.effect("refuses a folder that exists, before anything is copied and at the end", () =>
    Effect.gen(function* () {
      const folders = yield* makeFolders()
      mkdirSync(folders.out)
      const error = yield* Effect.flip(begin(folders))
      assert.strictEqual(error._tag, "CheckpointExists")
      assert.match(error.message, /out exists already/)
      assert.isFalse(existsSync(folders.partial))
      rmSync(folders.out, { recursive: true })
      const { copy } = yield* begin(folders)
      mkdirSync(folders.out)
      assert.strictEqual((yield* Effect.flip(copy.finish))._tag, "CheckpointExists")
      assert.isTrue(existsSync(folders.partial))
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("refuses a source that is itself unfinished", () =>
    Effect.gen(function* () {
      const folders = yield* makeFolders()
      yield* begin(folders)
      const again = { ...folders, source: folders.partial, out: `${folders.out}2` }
      const error = yield* Effect.flip(begin(again))
      assert.match(error.message, /expected a finished checkpoint, found espalier-progress\.json/)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("says which weights it cannot replace", () =>
    Effect.gen(function* () {
      const folders = yield* makeFolders()
      writeFileSync(join(folders.source, "pytorch_model.bin"), "weights")
      const [{ copy }, notices] = yield* Notices.collect(begin(folders))
      assert.match(notices[0], /pytorch_model\.bin: copied as in the source/)
      yield* copy.finish
      assert.isTrue(existsSync(join(folders.out, "pytorch_model.bin")))
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("leaves nothing where the disk is too full for the copy", () => {
    const watch = makeWatch()
    watch.room = 3000
    return Effect.gen(function* () {
      const folders = yield* makeFolders()
      const error = yield* Effect.flip(begin(folders))
      assert.strictEqual(error._tag, "CheckpointFileError")
      assert.match(error.message, /safetensors: cannot write: ENOSPC.*Free space on the disk/)
      assert.isFalse(existsSync(folders.out))
      assert.isFalse(existsSync(folders.partial))
    }).pipe(Effect.provide(watchedFiles(watch)))
  })

  it.effect("goes on after the disk was full while a weight was written", () => {
    const watch = makeWatch()
    return Effect.gen(function* () {
      const folders = yield* makeFolders()
      const { copy, block, checkpoint } = yield* begin(folders)
      const { up } = block(0)
      watch.room = watch.bytesWritten + 10
      const error = yield* Effect.flip(copy.write(up, HostArray.zeros(up.shape)))
      assert.strictEqual(error._tag, "CheckpointFileError")
      assert.strictEqual((yield* Effect.flip(copy.markDone(1)))._tag, "CheckpointFileError")
      assert.isFalse(existsSync(folders.out))
      watch.room = Infinity
      const again = yield* begin(folders)
      assert.strictEqual(again.copy.done, 0)
      yield* again.copy.write(up, yield* checkpoint.read(up))
      yield* again.copy.finish
      assert.deepStrictEqual(readFolder(folders.out), readFolder(folders.source))
    }).pipe(Effect.provide(watchedFiles(watch)))
  })

  it.effect("leaves nothing where copying is interrupted", () =>
    Effect.gen(function* () {
      const folders = yield* makeFolders()
      const fiber = yield* Effect.forkChild(begin(folders), { startImmediately: true })
      while (!existsSync(folders.partial)) yield* Effect.promise(() => new Promise(setImmediate))
      yield* Fiber.interrupt(fiber)
      assert.isFalse(existsSync(folders.partial))
    }).pipe(Effect.provide(NodeServices.layer)),
  )
})
