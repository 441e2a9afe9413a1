/**
 * The steps by name, for pipelines in TypeScript (`Pipeline.make` of `@espalier/pipeline`). Those of
 * methods are lists by their `use`: {@link pruneSteps}, {@link quantizeSteps}, {@link fmdSteps}.
 */
export { modelExport } from "./export.ts"
export { fmdSteps } from "./fmd.ts"
export { modelFineTune } from "./fine_tune.ts"
export { textGenerate } from "./generate.ts"
export { textJoin } from "./join.ts"
export { modelLoad, modelPerplexity } from "./model.ts"
export { pruneSteps } from "./prune.ts"
export { quantizeSteps } from "./quantize.ts"
export { reportSpread, reportTable } from "./report.ts"
export { modelSelect } from "./select.ts"
export { textStories, textStoryFloor } from "./stories.ts"
export { textLoad } from "./text.ts"
export { modelTrain } from "./train.ts"
export { modelZeroShot } from "./zero_shot.ts"
export { tradeBacktest } from "./trade.ts"
