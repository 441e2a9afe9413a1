/**
 * Parameter trees, initialisers, layers, optimisers and a training loop.
 *
 * @module
 */
export * as Initializers from "./initializers.ts"
export type { Initializer } from "./initializers.ts"
export * as Layers from "./layers.ts"
export * as Optimizers from "./optimizers.ts"
export type { AdamWOptions, Hyperparameters, Optimizer } from "./optimizers.ts"
export * as Schedules from "./schedules.ts"
export type { LearningRateSchedule } from "./schedules.ts"
export { decodeTree, encodeTree } from "./tree_file.ts"
export { train } from "./train.ts"
export type { TrainError, TrainOptions, TrainResult } from "./train.ts"
export { makeTrainStep } from "./train_step.ts"
export type {
  ParameterTree,
  TrainStepInputs,
  TrainStepOptions,
  TrainStepOutputs,
  TrainStepState,
} from "./train_step.ts"
export { fusedAttention } from "./attention/attention.ts"
export type { AttentionOptions } from "./attention/attention.ts"
export { cachedAttention } from "./attention/cached.ts"
