import type { Step } from "@espalier/pipeline"
import type { Device } from "@espalier/tensor"
import type { Platform } from "../command_line/application.ts"
import { modelExport } from "./export.ts"
import { fmdSteps } from "./fmd.ts"
import { modelFineTune } from "./fine_tune.ts"
import { modelLoad, modelPerplexity } from "./model.ts"
import { pruneSteps } from "./prune.ts"
import { quantizeSteps } from "./quantize.ts"
import { reportSpread, reportTable } from "./report.ts"
import { modelSelect } from "./select.ts"
import { textStories, textStoryFloor } from "./stories.ts"
import { textGenerate } from "./generate.ts"
import { textJoin } from "./join.ts"
import { textLoad } from "./text.ts"
import { tradeAsk, tradeBacktest } from "./trade.ts"
import { modelTrain } from "./train.ts"
import { modelZeroShot } from "./zero_shot.ts"

/** Every step that `espalier` knows. */
export const steps: ReadonlyArray<Step<Device | Platform>> = [
  textLoad,
  textJoin,
  textGenerate,
  textStories,
  textStoryFloor,
  modelLoad,
  modelTrain,
  modelFineTune,
  modelPerplexity,
  modelZeroShot,
  ...pruneSteps,
  ...quantizeSteps,
  modelSelect,
  modelExport,
  tradeBacktest,
  tradeAsk,
  ...fmdSteps,
  reportSpread,
  reportTable,
]
