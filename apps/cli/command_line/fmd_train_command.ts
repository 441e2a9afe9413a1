import { encodeDetector, readItems, trainDetector } from "@espalier/misinformation"
import { Effect, Path, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { deviceLayer } from "../device.ts"
import { measured } from "../measured.ts"
import { locateFile } from "./locate_file.ts"
import { brokenFlag, dataFlag, deviceFlag, jsonFlag } from "./fmd_flags.ts"
import { formatNumber, formatTable } from "./table.ts"
import { tellWork } from "./tell_work.ts"
import { writeOut } from "./terminal.ts"
import { refuseExisting, writeFolder } from "./write_folder.ts"

const Count = Schema.Int.check(Schema.isGreaterThan(0))

const flags = {
  files: Argument.String("FILE").pipe(
    Argument.withDescription("JSON lines as in FMD_train.json; data:… is in the data folder"),
    Argument.atLeast(1),
  ),
  out: Flag.String("out").pipe(Flag.withDescription("the folder to write")),
  steps: Flag.Int("steps").pipe(
    Flag.withSchema(Count),
    Flag.withDescription("steps of the sentence scorer"),
    Flag.withDefault(700),
  ),
  innerFolds: Flag.Int("inner-folds").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))),
    Flag.withDescription("parts that temperature and budget are chosen on; 0: they are not"),
    Flag.withDefault(3),
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("same seed, same detector"),
    Flag.withDefault(0),
  ),
  skipBroken: brokenFlag,
  device: deviceFlag,
  data: dataFlag,
  json: jsonFlag,
}

/** `espalier fmd train FILE… --out DIR`. */
export const fmdTrainCommand = Command.make(
  "train",
  flags,
  Effect.fnUntraced(function* (options) {
    const path = yield* Path.Path
    const final = path.resolve(options.out)
    yield* refuseExisting(final)
    const { skipBroken, steps, innerFolds, seed } = options
    const work = Effect.gen(function* () {
      const items = yield* Effect.forEach(options.files, (file) =>
        Effect.flatMap(locateFile(file, "FILE", options.data), (found) =>
          readItems(found, { skipBroken }),
        ),
      )
      const all = items.flat()
      const detector = yield* trainDetector(all, { explainerSteps: steps, innerFolds, seed })
      yield* writeFolder(encodeDetector(detector), `${final}.partial`, final)
      const { temperature } = detector.classifier
      const { budget } = detector.explainer
      return { items: all.length, temperature, budget: Number.isFinite(budget) ? budget : null }
    })
    const [trained, cost] = yield* measured(Effect.scoped(work)).pipe(
      tellWork("fmd train"),
      Effect.provide(deviceLayer(options.device)),
    )
    const document = { out: options.out, ...trained, ...cost }
    if (options.json) return yield* writeOut(`${JSON.stringify(document, null, 2)}\n`)
    const rows = Object.entries(document).flatMap(([name, value]) =>
      typeof value === "number" ? [[name, formatNumber(value)]] : [],
    )
    yield* writeOut(`${formatTable([["measured", ""], ...rows])}\n\n${options.out}\n`)
  }),
).pipe(
  Command.withDescription(
    "Train a detector that decides True, False or NEI and explains by sentences of the context",
  ),
)
