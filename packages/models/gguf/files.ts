import type { HostArray } from "@espalier/tensor"
import { Effect, FileSystem, Path } from "effect"
import type { CausalLM } from "../causal_lm.ts"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import type { CheckpointFileError } from "../hugging_face/checkpoint_file_error.ts"
import { guardFile } from "../hugging_face/checkpoint_file_error.ts"
import type { ReadTree } from "../hugging_face/checkpoint.ts"
import { readBytes } from "../hugging_face/read_bytes.ts"
import type { LlamaParameters } from "../llama_parameters.ts"
import { llamaParameterEntries } from "../llama_parameters.ts"
import type { GgufHeader, GgufTensorInfo } from "./decode_header.ts"
import { decodeGgufHeader } from "./decode_header.ts"
import { encodeGgufHeader } from "./encode_header.ts"
import type { GgufMetadata } from "./metadata.ts"
import { encodePlanned, makeGgufModel, placeLlama } from "./model.ts"
import type { GgufKeptTensor, GgufModelOptions } from "./model_plan.ts"
import { planGguf } from "./model_plan.ts"
import { decodeGgufTensor } from "./tensor.ts"

/** Most headers are shorter; a vocabulary may take some MiB. */
const firstBytes = 1024 * 1024
/** Longer than any: what is before the data is held in memory. */
const longestHeader = 1024 * 1024 * 1024

/** A GGUF file whose header was read and whose tensors are still on the disk. */
export interface OpenGguf {
  readonly path: string
  readonly metadata: GgufMetadata
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>
  /** Reads one tensor as `f32`. Throws a `RangeError` for a name that is not among the tensors. */
  readonly read: (
    name: string,
  ) => Effect.Effect<HostArray.HostArray, CheckpointFormatError | CheckpointFileError>
}

const readHeader = Effect.fnUntraced(function* (path: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const file = yield* guardFile(path, "read")(fileSystem.open(path))
  const { size } = yield* guardFile(path, "read")(file.stat)
  for (let length = firstBytes; ; length *= 4) {
    const bytes = new Uint8Array(Math.min(length, longestHeader, Number(size)))
    yield* readBytes(file, path, bytes, 0)
    const header = yield* Effect.fromResult(decodeGgufHeader(bytes, Number(size), path))
    if (header !== undefined) return header
    if (length >= longestHeader) {
      return yield* new CheckpointFormatError({
        path,
        expected: `at most ${longestHeader} bytes before the data`,
        found: "more",
        hint: "The file is damaged; fetch or export it again.",
      })
    }
  }
}, Effect.scoped)

/**
 * Opens a GGUF file and reads what stands before its data.
 *
 * Fails with {@link CheckpointFormatError} as `decodeGguf` does, and with {@link CheckpointFileError}
 * where the file cannot be read.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { openGguf } from "@espalier/models"
 *
 * const embedding = Effect.gen(function* () {
 *   const { read } = yield* openGguf("models/stories260K.gguf")
 *   return yield* read("token_embd.weight")
 * })
 * ```
 */
export const openGguf = Effect.fn("openGguf")(function* (path: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const { metadata, tensors }: GgufHeader = yield* readHeader(path)
  const read = Effect.fn("OpenGguf.read")(function* (name: string) {
    const info = tensors.get(name)
    if (info === undefined) throw new RangeError(`${path} has no tensor ${name}`)
    const file = yield* guardFile(path, "read")(fileSystem.open(path))
    const bytes = new Uint8Array(info.to - info.from)
    yield* readBytes(file, path, bytes, info.from)
    return decodeGgufTensor({ ...info, bytes })
  }, Effect.scoped)
  const opened: OpenGguf = { path, metadata, tensors, read }
  return opened
})

/**
 * Reads a GGUF file of llama.cpp's architecture `llama` as a model, one tensor after the other.
 *
 * Fails as {@link openGguf} and `decodeGgufModel` do.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { generate, readGgufModel } from "@espalier/models"
 *
 * const program = Effect.gen(function* () {
 *   const { model } = yield* readGgufModel("models/stories260K.gguf")
 *   return generate(model, Int32Array.of(1), { tokens: 10 })
 * })
 * ```
 */
export const readGgufModel = Effect.fn("readGgufModel")(function* (path: string) {
  const { metadata, tensors, read } = yield* openGguf(path)
  const config = yield* Effect.fromResult(placeLlama(metadata, tensors, path))
  const weights = new Map<string, HostArray.HostArray>()
  for (const name of tensors.keys()) weights.set(name, yield* read(name))
  return makeGgufModel(config, metadata, weights)
})

/** What was written. */
export interface WrittenGguf {
  readonly path: string
  /** Its size in bytes. */
  readonly length: number
  /** Matrices that are in F16 although another type was asked for. */
  readonly kept: ReadonlyArray<GgufKeptTensor>
}

/**
 * Writes a model as `encodeGgufModel` makes it, holding one tensor at a time. `read` gives parameters
 * that are still on the disk: that of `openCheckpoint`. The file comes into being whole; one that was
 * there before stays as it is until then.
 *
 * Fails as `encodeGgufModel` does, and with {@link CheckpointFileError} where the file cannot be written.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { openCheckpoint, writeGgufModel } from "@espalier/models"
 *
 * const program = Effect.gen(function* () {
 *   const { model, read } = yield* openCheckpoint("models/TinyLlama-1.1B")
 *   return yield* writeGgufModel("TinyLlama.gguf", model, { type: "Q8_0", read })
 * })
 * ```
 */
export const writeGgufModel = Effect.fn("writeGgufModel")(function* (
  out: string,
  model: CausalLM,
  options: GgufModelOptions & { readonly read?: ReadTree } = {},
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = (yield* Path.Path).resolve(out)
  const { metadata, tensors, kept } = yield* Effect.fromResult(planGguf(model, options))
  const header = encodeGgufHeader(metadata, tensors)
  const leaves = new Map(llamaParameterEntries(model.parameters as LlamaParameters<unknown>))
  const load = Effect.fnUntraced(function* (parameter: string) {
    const leaf = leaves.get(parameter)
    return (options.read === undefined ? leaf : yield* options.read(leaf)) as HostArray.HostArray
  })
  const partial = `${path}.partial`
  const guard = guardFile(partial, "write")
  const save = Effect.gen(function* () {
    const file = yield* guard(fileSystem.open(partial, { flag: "w" }))
    yield* guard(file.writeAll(header.bytes))
    for (const [i, planned] of tensors.entries()) {
      const weights = planned.kind === "parameter" ? yield* load(planned.parameter) : undefined
      const { bytes } = yield* Effect.fromResult(encodePlanned(planned, weights))
      yield* guard(file.writeAll(bytes))
      const end = header.places[i + 1] ?? header.length
      yield* guard(file.writeAll(new Uint8Array(end - header.places[i] - bytes.length)))
    }
    yield* guard(file.sync)
  })
  const remove = guard(fileSystem.remove(partial, { force: true }))
  yield* Effect.scoped(save).pipe(
    Effect.andThen(guardFile(path, "write")(fileSystem.rename(partial, path))),
    Effect.onError(() => Effect.ignore(remove)),
  )
  const written: WrittenGguf = { path, length: header.length, kept }
  return written
})
