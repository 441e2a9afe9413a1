import type { Step } from "@espalier/pipeline"
import type { Device } from "@espalier/tensor"
import type { Platform } from "../command_line/application.ts"
import { modelLoad, modelPerplexity } from "./model.ts"
import { pruneMagnitudeStep, pruneWandaStep } from "./prune.ts"
import { textLoad } from "./text.ts"

/** Every step that `espalier` knows. */
export const steps: ReadonlyArray<Step<Device | Platform>> = [textLoad, modelLoad, modelPerplexity, pruneMagnitudeStep, pruneWandaStep]
