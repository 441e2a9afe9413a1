import type { CausalLM, Checkpoint, GgufKeptTensor, StoredArray, Tokenizer } from "@espalier/models"
import {
  copyCheckpoint,
  encodePackQuantizedModel,
  encodeRawSafetensors,
  UnsupportedByGguf,
  UnsupportedPacking,
  writeGgufModel,
} from "@espalier/models"
import { unreadable } from "@espalier/pipeline"
import { matrixOf } from "@espalier/quantization"
import { Notices } from "@espalier/runtime"
import type { HostArray } from "@espalier/tensor"
import { Tree } from "@espalier/tensor"
import { Effect, FileSystem, Path } from "effect"
import type { ggufTypes } from "../quantization/gguf_types.ts"
import type { QuantizedModel } from "../quantization/methods.ts"
import { tellGguf } from "../quantization/tell_gguf.ts"
import { writeFolder } from "./write_folder.ts"

/** What a quantised model may be written as. */
export const quantizedFormats = ["dense", "pack-quantized", "gguf"] as const
export type QuantizedFormat = (typeof quantizedFormats)[number]

/** Says before the work begins that a format has no place for a model. */
export const checkFormat = (
  { model: { family, blocks } }: Checkpoint,
  format: QuantizedFormat,
): Effect.Effect<void, UnsupportedByGguf | UnsupportedPacking> => {
  const hint = "Write another format: --format dense."
  if (format === "gguf" && family !== "llama") {
    const problem = { field: "family", expected: "llama", found: family, hint }
    return Effect.fail(new UnsupportedByGguf(problem))
  }
  if (format === "pack-quantized" && family === "gpt2") {
    const [tensor] = blocks.flatMap(({ linears }) => linears.map(({ path }) => path))
    const expected = "a weight [outputs, inputs]"
    const found = "one that lies transposed in the files"
    return Effect.fail(new UnsupportedPacking({ tensor, expected, found, hint }))
  }
  return Effect.void
}

/** The dtypes of all parameters of a checkpoint. */
const dtypesOf = ({ model }: Checkpoint) =>
  new Set(Tree.leaves<StoredArray>(model.parameters).map(({ storedDtype }) => storedDtype))

/**
 * Writes a copy of the checkpoint's folder with the weights that the codes stand for, and what else
 * is no longer as it was before.
 */
export const writeDense = Effect.fnUntraced(function* (
  checkpoint: Checkpoint,
  before: CausalLM,
  { model }: QuantizedModel,
  final: string,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const stored = Tree.leaves<StoredArray>(checkpoint.model.parameters)
  const old = Tree.leaves<HostArray.HostArray>(before.parameters)
  const changed = Tree.leaves<HostArray.HostArray>(model.parameters).flatMap((array, i) =>
    array.data.every((value, j) => value === old[i].data[j]) ? [] : [[stored[i], array] as const],
  )
  const narrow = [...dtypesOf(checkpoint)].filter((dtype) => dtype !== "F32")
  if (narrow.length > 0) {
    yield* Notices.report(
      `weights are rounded to ${narrow.join(" and ")}, as MODEL has them: the other formats keep the codes exactly`,
    )
  }
  const write = Effect.gen(function* () {
    const copy = yield* copyCheckpoint(checkpoint, final, { job: "quantize" })
    for (const [place, array] of changed) yield* copy.write(place, array)
    yield* copy.finish
  })
  const remove = fileSystem.remove(`${final}.partial`, { recursive: true, force: true })
  yield* Effect.onError(write, () => Effect.ignore(remove))
})

/** Files of a model folder that say nothing of its weights: tokenizers, licences … */
const isCompanion = (name: string): boolean =>
  name === "tokenizer.bin" ||
  !/^config\.json$|^quantized\.|\.index\.json$|\.(safetensors|bin|pth?|h5|msgpack|onnx|gguf)$/.test(
    name,
  )

const readCompanions = Effect.fnUntraced(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = yield* Effect.mapError(fileSystem.readDirectory(folder), unreadable(folder))
  const files: Record<string, Uint8Array> = {}
  for (const name of names.filter(isCompanion)) {
    const file = path.join(folder, name)
    const { type } = yield* Effect.mapError(fileSystem.stat(file), unreadable(file))
    if (type === "File") {
      files[name] = yield* Effect.mapError(fileSystem.readFile(file), unreadable(file))
    }
  }
  return files
})

/** Writes a folder with packed integers that vLLM and transformers read. */
export const writePackQuantized = Effect.fnUntraced(function* (
  checkpoint: Checkpoint,
  { model, weights }: QuantizedModel,
  final: string,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const matrices = new Map(Array.from(weights, ([name, weight]) => [name, matrixOf(weight)]))
  const dtypes = [...dtypesOf(checkpoint)]
  const dtype = dtypes.length === 1 ? dtypes[0] : "F32"
  const packed = yield* Effect.fromResult(encodePackQuantizedModel(model, matrices, { dtype }))
  const companions = yield* readCompanions(checkpoint.path)
  const file = path.join(checkpoint.path, "config.json")
  const before = yield* Effect.mapError(fileSystem.readFileString(file), unreadable(file))
  // What the source says of the model stays, and what it says of its weights before goes.
  const { quantization_config: quantization } = JSON.parse(
    new TextDecoder().decode(packed.config),
  ) as { readonly quantization_config: unknown }
  const config = { ...(JSON.parse(before) as object), quantization_config: quantization }
  const files = {
    ...companions,
    "config.json": new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`),
    "model.safetensors": encodeRawSafetensors(packed.tensors, { format: "pt" }),
  }
  const draft = `${final}.partial`
  const remove = fileSystem.remove(draft, { recursive: true, force: true })
  yield* Effect.onError(writeFolder(files, draft, final), () => Effect.ignore(remove))
})

/** Writes a GGUF file, and tells what is not in codes in it. */
export const writeGguf = Effect.fnUntraced(function* (
  { model, weights }: QuantizedModel,
  final: string,
  options: {
    readonly type: (typeof ggufTypes)[number]
    readonly tokenizer: Tokenizer
    readonly name: string
  },
) {
  const quantized = new Map(Array.from(weights, ([name, weight]) => [name, matrixOf(weight)]))
  const { kept } = yield* writeGgufModel(final, model, { ...options, quantized })
  yield* tellGguf(kept, options.tokenizer)
  const result: ReadonlyArray<GgufKeptTensor> = kept
  return result
})
