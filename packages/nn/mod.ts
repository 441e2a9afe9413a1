/**
 * Parameter trees, initialisers, layers, optimisers and a training loop.
 *
 * @module
 */
export * as Initializers from "./initializers.ts"
export type { Initializer } from "./initializers.ts"
export * as Layers from "./layers.ts"
export * as Optimizers from "./optimizers.ts"
export type { AdamWOptions } from "./adamw.ts"
export type { LionOptions } from "./lion.ts"
export type { MuonOptions } from "./muon.ts"
export type { Hyperparameters, Optimizer, ParameterFilter } from "./optimizer.ts"
export * as Schedules from "./schedules.ts"
export type { LearningRateSchedule, WarmupOptions } from "./schedules.ts"
export { decodeTree, encodeTree } from "./tree_file.ts"
export { train } from "./train.ts"
export type { TrainEvent } from "./train_event.ts"
export { InvalidTraining } from "./train_options.ts"
export type {
  Evaluate,
  EvaluatedStep,
  TrainError,
  TrainOptions,
  TrainResult,
} from "./train_options.ts"
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
