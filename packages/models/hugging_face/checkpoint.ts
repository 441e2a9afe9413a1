import { Notices } from "@espalier/runtime"
import type { HostArray } from "@espalier/tensor"
import { Tree } from "@espalier/tensor"
import { Effect, FileSystem, Path } from "effect"
import type { CausalLM } from "../causal_lm.ts"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import { isStoredDType, storedDTypes } from "../stored_dtype.ts"
import type { CheckpointFileError } from "./checkpoint_file_error.ts"
import { guardFile } from "./checkpoint_file_error.ts"
import { decodeHuggingFaceConfig } from "./configuration.ts"
import { findTensors } from "./find_tensors.ts"
import type { PlacedParameter } from "./layout.ts"
import { layoutOf } from "./layout.ts"
import type { HuggingFaceConfiguration, HuggingFaceModel } from "./model.ts"
import { readShards } from "./shards.ts"
import type { StoredArray, StoredTensor } from "./stored_array.ts"
import { makeReader, makeRowReader } from "./tensor_files.ts"

/** A function that gives a tree with {@link StoredArray} leaves as the same tree of host arrays. */
export type ReadTree = <T>(
  tree: T,
) => Effect.Effect<
  Tree.Mapped<T, StoredArray, HostArray.HostArray>,
  CheckpointFormatError | CheckpointFileError
>

/** A Hugging Face folder whose headers were read and whose weights are still on the disk. */
export interface Checkpoint {
  /** The folder, as an absolute path. */
  readonly path: string
  readonly family: HuggingFaceModel["family"]
  readonly config: HuggingFaceModel["config"]
  /** The model; the leaves of its parameters are {@link StoredArray}s. */
  readonly model: CausalLM
  /** The files that hold weights, without their folder. */
  readonly files: ReadonlyArray<string>
  /** Every tensor of these files, parameter or not, by name. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /**
   * Reads the weights of a part of the model's parameters, such as one block's, and nothing else:
   * f16 and bf16 become f32, exactly. Memory holds the result and a few MiB.
   */
  readonly read: ReadTree
  /**
   * Reads some rows of one weight, [rows, …], and nothing else.
   *
   * Throws a `RangeError` where a row is outside, or where the file has the weight in an arrangement of
   * its own (linears of GPT-2, queries and keys of LLaMA).
   */
  readonly readRows: (
    stored: StoredArray,
    rows: ReadonlyArray<number>,
  ) => Effect.Effect<HostArray.HostArray, CheckpointFormatError | CheckpointFileError>
}

const requireConfig = Effect.fnUntraced(function* (folder: string, listed: ReadonlyArray<string>) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = (yield* Path.Path).join(folder, "config.json")
  if (!listed.includes("config.json")) {
    return yield* new CheckpointFormatError({
      path: folder,
      expected: "a file config.json",
      found: listed.toSorted().join(", ") || "nothing",
      hint: "A model folder holds config.json, model.safetensors or its shards, and a tokenizer.",
    })
  }
  const bytes = yield* guardFile(path, "read")(fileSystem.readFile(path))
  return yield* Effect.fromResult(decodeHuggingFaceConfig(bytes, path))
})

/** Says what the model cannot do here although its configuration speaks of it. */
const noticeWindow = ({ family, config }: HuggingFaceConfiguration) =>
  family === "llama" && config.slidingWindow === config.contextLength
    ? Notices.report(
        `the model attends to a sliding window of ${config.slidingWindow} tokens: contexts are limited to it`,
      )
    : Effect.void

/**
 * Opens a folder as transformers writes and reads it: `config.json`, and `model.safetensors` or
 * `model.safetensors.index.json` with its shards, in f32, f16 or bf16, of a LLaMA-, Mistral-, Qwen2-,
 * GPT-2- or OPT-style decoder. Reads the headers and no weights.
 *
 * Fails with {@link CheckpointFormatError} where a file is damaged, of another kind or missing, where
 * the files contradict each other, and where the configuration asks for what is not supported; with
 * {@link CheckpointFileError} where a file cannot be read.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { openCheckpoint } from "@espalier/models"
 *
 * const firstBlock = Effect.gen(function* () {
 *   const { model, read } = yield* openCheckpoint("models/TinyLlama-1.1B")
 *   return yield* read(model.blocks[0].parameters(model.parameters))
 * })
 * ```
 */
export const openCheckpoint = Effect.fn("openCheckpoint")(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const { resolve, join } = yield* Path.Path
  const path = resolve(folder)
  const { type } = yield* guardFile(path, "read")(fileSystem.stat(path))
  if (type !== "Directory") {
    return yield* new CheckpointFormatError({
      path,
      expected: "a folder with config.json and safetensors",
      found: "a file",
      hint: "Give the folder that the file is in.",
    })
  }
  const listed = yield* guardFile(path, "read")(fileSystem.readDirectory(path))
  const configuration = yield* requireConfig(path, listed)
  const { files, tensors } = yield* readShards(path, listed)
  const layout = layoutOf(configuration)
  const names = yield* Effect.fromResult(findTensors(layout, tensors, path))
  const placed = Tree.leaves<PlacedParameter>(layout.parameters)
  const leaves: Array<StoredArray> = []
  for (const [i, name] of [...names.values()].entries()) {
    const { file, dtype } = tensors.get(name)!
    if (!isStoredDType(dtype)) {
      return yield* new CheckpointFormatError({
        path: join(path, file),
        expected: `${name} in ${storedDTypes.join(", ")}`,
        found: dtype,
        hint: "Convert the weights to one of these.",
      })
    }
    const { shape, arrangement } = placed[i]
    leaves.push({ shape, dtype: "f32", name, storedDtype: dtype, arrangement })
  }
  yield* noticeWindow(configuration)
  const model = layout.make(Tree.fill(layout.parameters, leaves))
  const checkpoint: Checkpoint = {
    path,
    family: model.family,
    config: model.config,
    model,
    files,
    tensors,
    read: yield* makeReader(path, tensors),
    readRows: yield* makeRowReader(path, tensors),
  }
  return checkpoint
})
