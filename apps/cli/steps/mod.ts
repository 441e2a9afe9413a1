import type { Step } from "@espalier/pipeline"
import type { Device } from "@espalier/tensor"
import type { Platform } from "../command_line/application.ts"
import { modelLoad, modelPerplexity } from "./model.ts"
import { pruneMagnitudeStep, pruneWandaStep } from "./prune.ts"
import { reportTable } from "./report.ts"
import { textStories, textStoryFloor } from "./stories.ts"
import { textLoad } from "./text.ts"
import { modelTrain } from "./train.ts"

/** Every step that `espalier` knows. */
export const steps: ReadonlyArray<Step<Device | Platform>> = [
  textLoad,
  textStories,
  textStoryFloor,
  modelLoad,
  modelTrain,
  modelPerplexity,
  pruneMagnitudeStep,
  pruneWandaStep,
  reportTable,
]
