import { makeCheckpointStore } from "@espalier/calibration"
import { copyCheckpoint, openCheckpoint } from "@espalier/models"
import { sha256 } from "@espalier/pipeline"
import type { InvalidSparsity } from "@espalier/pruning"
import { overallSparsity, parseSparsity, pruneStore } from "@espalier/pruning"
import { Notices } from "@espalier/runtime"
import { Effect, FileSystem, Path } from "effect"
import { Command, Flag } from "effect/cli"
import { createHash } from "node:crypto"
import { collectGarbage } from "../collect_garbage.ts"
import { deviceLayer } from "../device.ts"
import { measured } from "../measured.ts"
import { pruneMethods } from "../pruning/methods.ts"
import { makePruner } from "../pruning/options.ts"
import { pruneMetrics } from "../steps/prune.ts"
import { calibrationFlags, folderOf, locateModel, readCalibration } from "./calibration_inputs.ts"
import { formatNumber, formatTable } from "./table.ts"
import { tellWork } from "./tell_work.ts"
import { writeOut } from "./terminal.ts"
import { withCheckpoints } from "./with_checkpoints.ts"

const flags = {
  ...calibrationFlags,
  method: Flag.Literals(
    "method",
    pruneMethods.map(({ name }) => name),
  ).pipe(Flag.withDescription("how; espalier steps says more"), Flag.withDefault("sparsegpt")),
  sparsity: Flag.String("sparsity").pipe(
    Flag.withDescription('a fraction such as 0.5, or "N:M" = N kept of every M inputs'),
  ),
  out: Flag.String("out").pipe(Flag.withDescription("the folder to write, in the layout of MODEL")),
}

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
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const method = pruneMethods.find(({ name }) => name === options.method)!
    const pruner = yield* Effect.fromResult(makePruner(method, options.option))
    const sparsity = yield* sparsityOf(options.sparsity)
    const { file, tokenizerFile } = yield* locateModel(options)
    const work = Effect.gen(function* () {
      const folder = yield* folderOf(file, tokenizerFile)
      const checkpoint = yield* openCheckpoint(folder)
      const { model } = checkpoint
      const source = { model, folder, tokenizerFile }
      const windows = method.calibrated ? yield* readCalibration(method.name, options, source) : []
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
      const reports = `${path.resolve(options.out)}.reports`
      const layers = yield* pruneStore(model, frugal, pruner, {
        sparsity,
        windows,
        batch: options.batch,
        layerErrors: options.layerErrors,
      }).pipe(withCheckpoints(reports, sha256(job)))
      yield* copy.finish
      yield* Effect.ignore(fileSystem.remove(reports, { recursive: true, force: true }))
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
