import { checkTokenizer, openCheckpoint } from "@espalier/models"
import { bitsPerWeight, checkGroup } from "@espalier/quantization"
import { Notices } from "@espalier/runtime"
import { Effect, Option, Path } from "effect"
import { Command, Flag } from "effect/cli"
import { deviceLayer } from "../device.ts"
import { measured } from "../measured.ts"
import { readMethodOptions } from "../method_options.ts"
import { ggufTypes } from "../quantization/gguf_types.ts"
import { quantizeMethods } from "../quantization/methods.ts"
import { readTokenizer } from "../steps/model_files.ts"
import { calibrationFlags, folderOf, locateModel, readCalibration } from "./calibration_inputs.ts"
import {
  checkFormat,
  quantizedFormats,
  writeDense,
  writeGguf,
  writePackQuantized,
} from "./quantized_formats.ts"
import { formatNumber, formatTable } from "./table.ts"
import { tellWork } from "./tell_work.ts"
import { writeOut } from "./terminal.ts"
import { refuseExisting } from "./write_folder.ts"

const bits = { "2": 2, "3": 3, "4": 4, "8": 8 } as const
const groups = { channel: "channel", "32": 32, "64": 64, "128": 128 } as const

const flags = {
  ...calibrationFlags,
  method: Flag.Literals(
    "method",
    quantizeMethods.map(({ name }) => name),
  ).pipe(Flag.withDescription("how; espalier steps says more"), Flag.withDefault("gptq")),
  bits: Flag.Literals("bits", ["2", "3", "4", "8"]).pipe(
    Flag.withDescription("bits of a weight"),
    Flag.withDefault("4"),
  ),
  group: Flag.Literals("group", ["channel", "32", "64", "128"]).pipe(
    Flag.withDescription("inputs that share a scale: all of an output, or so many"),
    Flag.withDefault("channel"),
  ),
  symmetric: Flag.Boolean("symmetric").pipe(
    Flag.withDescription("zero points in the middle, which takes fewer bits"),
    Flag.withDefault(false),
  ),
  format: Flag.Literals("format", quantizedFormats).pipe(
    Flag.withDescription(
      "a folder as MODEL's with weights on the grid, one with packed integers, or a file for llama.cpp",
    ),
    Flag.withDefault("dense"),
  ),
  ggufType: Flag.Literals("gguf-type", ggufTypes).pipe(
    Flag.withDescription(
      "what gguf keeps other matrices in, and codes if it takes them (default F16)",
    ),
    Flag.optional,
  ),
  out: Flag.String("out").pipe(Flag.withDescription("the folder or the file to write")),
}

/** `espalier quantize MODEL --method … --bits … --calibration FILE --out DIR`. */
export const quantizeCommand = Command.make(
  "quantize",
  flags,
  Effect.fnUntraced(function* (options) {
    const method = quantizeMethods.find(({ name }) => name === options.method)!
    const own = yield* Effect.fromResult(readMethodOptions("quantize", method, options.option))
    const { symmetric, format, layerErrors, batch, seed } = options
    const scheme = { bits: bits[options.bits], group: groups[options.group], symmetric }
    const path = yield* Path.Path
    const final = path.resolve(options.out)
    yield* refuseExisting(final)
    const { file, tokenizerFile } = yield* locateModel(options)
    const work = Effect.gen(function* () {
      const folder = yield* folderOf(file, tokenizerFile)
      const checkpoint = yield* openCheckpoint(folder)
      const { model } = checkpoint
      yield* checkFormat(checkpoint, format)
      for (const { path: linear, shape } of model.blocks.flatMap(({ linears }) => linears)) {
        const problem = checkGroup(scheme, linear, shape[1])
        if (problem !== undefined) return yield* problem
      }
      const tokenizer = format === "gguf" ? yield* readTokenizer(folder, tokenizerFile) : undefined
      if (tokenizer !== undefined) {
        const check = checkTokenizer(tokenizer.tokenizer, model.vocabularySize, tokenizer.file)
        yield* Effect.fromResult(check)
      }
      if (format !== "gguf" && Option.isSome(options.ggufType)) {
        yield* Notices.report("--gguf-type counts with --format gguf only")
      }
      const source = { model, folder, tokenizerFile }
      const reader = method.reads === "nothing" ? "--layer-errors" : method.name
      const windows =
        method.reads !== "nothing" || layerErrors
          ? yield* readCalibration(reader, options, source)
          : []
      const dense = model.withParameters(yield* checkpoint.read(model.parameters))
      const job = { scheme, windows, batch, layerErrors, seed }
      const quantized = yield* method.run(dense, job, own as never)
      switch (format) {
        case "dense":
          yield* writeDense(checkpoint, dense, quantized, final)
          return { quantized, kept: [] }
        case "pack-quantized":
          yield* writePackQuantized(checkpoint, quantized, final)
          return { quantized, kept: [] }
        case "gguf": {
          const type = Option.getOrElse(options.ggufType, () => "F16" as const)
          const name = path.parse(file).name
          const kept = yield* writeGguf(quantized, final, { type, name, ...tokenizer! })
          return { quantized, kept }
        }
      }
    })
    const [{ quantized, kept }, cost] = yield* measured(Effect.scoped(work)).pipe(
      tellWork("quantize"),
      Effect.provide(deviceLayer(options.device)),
    )
    const { figures, weights } = quantized
    const metrics = { ...figures, ...cost }
    if (options.json) {
      const { out } = options
      const result = { method: method.name, ...scheme, format, out, ...metrics }
      const told = format === "gguf" ? { ...result, kept } : result
      return yield* writeOut(`${JSON.stringify(told, null, 2)}\n`)
    }
    const errors = figures.layerError?.layers
    const table = formatTable([
      ["layer", "bits per weight", ...(errors === undefined ? [] : ["error"])],
      ...Array.from(weights, ([layer, weight]) => [
        layer,
        formatNumber(bitsPerWeight(weight)),
        ...(errors === undefined ? [] : [formatNumber(errors[layer])]),
      ]),
    ])
    const trained =
      figures.trainedShare === undefined
        ? ""
        : `rank ${figures.rank}, ${formatNumber(100 * figures.trainedShare)} % trained, `
    yield* writeOut(
      `${table}\n\n${options.out}: ${formatNumber(figures.bitsPerWeight)} bits per weight, ${trained}` +
        `${formatNumber(cost.seconds)} s, ${cost.peakMemory} MiB at most\n`,
    )
  }),
).pipe(
  Command.withDescription(
    "Quantise a checkpoint's linears to integers, and write them for here, for transformers and vLLM, or for llama.cpp",
  ),
)
