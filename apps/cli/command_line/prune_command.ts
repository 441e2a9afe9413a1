import { makeCheckpointStore } from "@espalier/calibration"
import { checkTokenizer, copyCheckpoint, openCheckpoint } from "@espalier/models"
import { findDataFolder, locateInputFile, unreadable } from "@espalier/pipeline"
import type { InvalidSparsity } from "@espalier/pruning"
import { CalibrationMissing, overallSparsity, parseSparsity, pruneStore } from "@espalier/pruning"
import { Notices } from "@espalier/runtime"
import { Effect, FileSystem, Option, Path, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { createHash } from "node:crypto"
import { encodeModel } from "../artifacts/model.ts"
import { collectGarbage } from "../collect_garbage.ts"
import { deviceLayer } from "../device.ts"
import { measured } from "../measured.ts"
import { pruneMethods } from "../pruning/methods.ts"
import { makePruner } from "../pruning/options.ts"
import { readModel, readTokenizer } from "../steps/model_files.ts"
import { pruneMetrics } from "../steps/prune.ts"
import { readDocuments, selectDocuments } from "../steps/read_documents.ts"
import { windowsOf } from "../steps/windows.ts"
import { dataFolderOptions } from "./application.ts"
import { commonFlags } from "./common_flags.ts"
import { formatNumber, formatTable } from "./table.ts"
import { tellWork } from "./tell_work.ts"
import { writeOut } from "./terminal.ts"

const Positive = Schema.Int.check(Schema.isGreaterThan(0))
const count = (name: string, description: string) =>
  Flag.Int(name).pipe(Flag.withDescription(description), Flag.withSchema(Positive))
const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description))

const flags = {
  model: Argument.String("MODEL").pipe(
    Argument.withDescription(
      "a folder in the Hugging Face layout, or a llama2.c checkpoint; data:… is in the data folder",
    ),
  ),
  method: Flag.Literals(
    "method",
    pruneMethods.map(({ name }) => name),
  ).pipe(Flag.withDescription("how; espalier steps says more"), Flag.withDefault("sparsegpt")),
  sparsity: text("sparsity", 'a fraction such as 0.5, or "N:M" = N kept of every M inputs'),
  calibration: text("calibration", "a .jsonl, .json or text file of ordinary text").pipe(
    Flag.optional,
  ),
  out: text("out", "the folder to write, in the layout of MODEL"),
  option: text("option", "an option of the method, e.g. mask=wanda; may be repeated").pipe(
    Flag.atLeast(0),
  ),
  tokenizer: text("tokenizer", "the tokenizer's file; a folder may hold its own").pipe(
    Flag.optional,
  ),
  field: text("field", "the key of the text, where items of --calibration are objects").pipe(
    Flag.optional,
  ),
  window: count("window", "tokens per window (default: the model's context, at most 2048)").pipe(
    Flag.optional,
  ),
  samples: count("samples", "calibration windows to use").pipe(Flag.withDefault(128)),
  sampling: Flag.Literals("sampling", ["first", "random"]).pipe(
    Flag.withDescription("the first windows of the text, or random ones"),
    Flag.withDefault("first"),
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("of random windows"), Flag.withDefault(0)),
  batch: count("batch", "windows that run at once").pipe(Flag.withDefault(8)),
  layerErrors: Flag.Boolean("layer-errors").pipe(
    Flag.withDescription("measure what each layer loses, which takes memory and time"),
    Flag.withDefault(false),
  ),
  data: commonFlags.data,
  device: commonFlags.device,
  json: commonFlags.json,
}

/** The checkpoint as a folder in the Hugging Face layout: itself, or made of it for as long as the scope lasts. */
const folderOf = Effect.fnUntraced(function* (path: string, tokenizer: string | undefined) {
  const fileSystem = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const { type } = yield* Effect.mapError(fileSystem.stat(path), unreadable(path))
  if (type === "Directory") return path
  const files = yield* Effect.fromResult(encodeModel(yield* readModel(path, tokenizer)))
  const folder = yield* Effect.orDie(
    fileSystem.makeTempDirectoryScoped({ prefix: "espalier-model-" }),
  )
  for (const [name, bytes] of Object.entries(files)) {
    yield* Effect.orDie(fileSystem.writeFile(join(folder, name), bytes))
  }
  return folder
})

const sparsityOf = (given: string) =>
  Effect.try({
    try: () => parseSparsity(given.includes(":") ? given : Number(given)),
    catch: (error) => error as InvalidSparsity,
  })

/** `espalier prune MODEL --method … --sparsity … --calibration FILE --out DIR`. */
export const pruneCommand = Command.make(
  "prune",
  flags,
  Effect.fnUntraced(function* (options) {
    const method = pruneMethods.find(({ name }) => name === options.method)!
    const pruner = yield* Effect.fromResult(makePruner(method, options.option))
    const sparsity = yield* sparsityOf(options.sparsity)
    const dataFolder = yield* findDataFolder(dataFolderOptions(options.data))
    const locate = (given: string, flag: string) =>
      locateInputFile({
        given,
        folder: process.cwd(),
        dataFolder,
        place: { file: `${flag} ${given}`, at: "" },
        relativeTo: "the current folder",
      })
    const file = yield* locate(options.model, "MODEL")
    const tokenizerFile = Option.isNone(options.tokenizer)
      ? undefined
      : yield* locate(options.tokenizer.value, "--tokenizer")
    const work = Effect.gen(function* () {
      const folder = yield* folderOf(file, tokenizerFile)
      const checkpoint = yield* openCheckpoint(folder)
      const { model } = checkpoint
      let windows: ReadonlyArray<Int32Array> = []
      if (method.calibrated) {
        if (Option.isNone(options.calibration)) {
          const hint = "give --calibration FILE"
          return yield* new CalibrationMissing({ method: method.name, hint })
        }
        const { tokenizer, file } = yield* readTokenizer(folder, tokenizerFile)
        yield* Effect.fromResult(checkTokenizer(tokenizer, model.vocabularySize, file))
        const path = yield* locate(options.calibration.value, "--calibration")
        const fileSystem = yield* FileSystem.FileSystem
        const content = yield* Effect.mapError(fileSystem.readFileString(path), unreadable(path))
        const field = Option.getOrUndefined(options.field)
        const all = yield* Effect.fromResult(readDocuments(path, content, { field }))
        const documents = yield* selectDocuments(path, all, { skip: 0 })
        const { samples, sampling, seed } = options
        const longest = Math.min(model.contextLength, 2048)
        const window = Option.getOrElse(options.window, () => longest)
        const cut = { window, join: "documents", samples, sampling, seed }
        windows = yield* windowsOf({ model, tokenizer }, { documents }, cut)
      }
      const hash = createHash("sha256")
      for (const window of windows) hash.update(window)
      // Whatever decides the result: an interrupted run is taken up by the same job only.
      const job = JSON.stringify({
        method: method.name,
        options: options.option.toSorted(),
        sparsity: options.sparsity,
        calibration: hash.digest("hex"),
        batch: options.batch,
      })
      const copy = yield* copyCheckpoint(checkpoint, options.out, { job })
      if (copy.done > 0) {
        yield* Notices.report(`going on after ${copy.done} of ${model.blocks.length} blocks`)
      }
      const store = makeCheckpointStore(checkpoint, copy)
      const frugal: typeof store = {
        ...store,
        original: (block, names) => Effect.andThen(collectGarbage, store.original(block, names)),
        changed: (block, names) => Effect.andThen(collectGarbage, store.changed(block, names)),
      }
      const layers = yield* pruneStore(model, frugal, pruner, {
        sparsity,
        windows,
        batch: options.batch,
        layerErrors: options.layerErrors,
      })
      yield* copy.finish
      return layers
    })
    const [layers, cost] = yield* measured(Effect.scoped(work)).pipe(
      tellWork("prune"),
      Effect.provide(deviceLayer(options.device)),
    )
    const metrics = { ...pruneMetrics({ sparsity: overallSparsity(layers), layers }), ...cost }
    if (options.json) {
      const result = { method: method.name, out: options.out, ...metrics }
      return yield* writeOut(`${JSON.stringify(result, null, 2)}\n`)
    }
    const table = formatTable([
      ["layer", "zeros", "sparsity", "dead inputs", ...(options.layerErrors ? ["error"] : [])],
      ...layers.map(({ layer, zeros, sparsity, deadInputs = 0, error }) => [
        layer,
        formatNumber(zeros),
        formatNumber(sparsity),
        formatNumber(deadInputs),
        ...(error === undefined ? [] : [formatNumber(error)]),
      ]),
    ])
    yield* writeOut(
      `${table}\n\n${options.out}: sparsity ${formatNumber(metrics.sparsity.overall)}, ` +
        `${formatNumber(cost.seconds)} s, ${cost.peakMemory} MiB at most\n`,
    )
  }),
).pipe(
  Command.withDescription(
    "Prune a checkpoint, one block in memory at a time; an interrupted run goes on where it was",
  ),
)
