import type { CompileError, DeviceArray, NonFinite, Program } from "@espalier/tensor"
import { UnsupportedDType } from "@espalier/tensor"
import type { Effect } from "effect"
import { Schema } from "effect"
import type { TrainEvent } from "./train_event.ts"
import type { ParameterTree, TrainStepOptions } from "./train_step.ts"

/** How a run is looked at from outside while it goes on. */
export interface Evaluate<P, C, E, R> {
  /** Steps between two evaluations; what the run begins and ends with is evaluated too. */
  readonly every: number
  /**
   * The number that should be small, of the parameters as they are (of their moving average, where
   * there is one). It must depend on nothing else, so that a resumed run finds the same.
   */
  readonly run: (
    parameters: ParameterTree<P, DeviceArray.DeviceArray>,
    constants: ParameterTree<C, DeviceArray.DeviceArray>,
  ) => Effect.Effect<number, E, R>
  /** The run ends after so many evaluations in a row without a new smallest number. */
  readonly patience?: number
}

/**
 * What a training run is told. `P` is the tree of parameters, `B` the tree of one batch, `C` the tree
 * of constants; evaluations fail with `E` and need `R`.
 */
export interface TrainOptions<P, B, C = unknown, E = never, R = never> extends TrainStepOptions<
  P,
  B,
  C
> {
  readonly steps: number
  /**
   * Batches whose gradients are added up to one step; 1. With a loss that is a mean, so many batches of
   * one size are one batch of all of them, in the memory of one.
   */
  readonly accumulate?: number
  readonly evaluate?: Evaluate<P, C, E, R>
  /** Told what happens, as data; {@link Progress} hears of the steps besides. */
  readonly onEvent?: (event: TrainEvent) => Effect.Effect<void>
  /** What the batches of one step contain, for rates: `{ count: 4096, unit: "tokens" }`. */
  readonly items?: { readonly count: number; readonly unit: string }
  /** What the run is, for its checkpoints: one of another job is not taken up. */
  readonly job?: string
  /** Seconds between checkpoints; 20. */
  readonly checkpointSeconds?: number
}

/** An evaluation during a run. */
export interface EvaluatedStep {
  readonly step: number
  readonly value: number
}

/** The trained parameters and what was seen on the way. */
export interface TrainResult<P> {
  /** After the last step. */
  readonly parameters: P
  /** Loss of each step. */
  readonly losses: ReadonlyArray<number>
  /** Global gradient norm of each step, before clipping; 0 for a step that was skipped. */
  readonly gradientNorms: ReadonlyArray<number>
  /** The moving average of the parameters, where one was asked for. */
  readonly average?: P
  readonly evaluations: ReadonlyArray<EvaluatedStep>
  /** The evaluation with the smallest number, and what was evaluated. */
  readonly best?: EvaluatedStep & { readonly parameters: P }
  /** Steps that changed nothing because a gradient overflowed `f16`. */
  readonly skipped: ReadonlyArray<number>
}

/** A number among the options of a training run that makes no sense. */
export class InvalidTraining extends Schema.TaggedError<InvalidTraining>()("InvalidTraining", {
  option: Schema.String,
  found: Schema.Number,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.option} is ${this.found}. ${this.hint}`
  }
}

/** Everything that can stop a training run, besides its evaluations. */
export type TrainError = Program.RunError | CompileError | NonFinite | InvalidTraining

const wholeFrom = (least: number) => (value: number) => Number.isInteger(value) && value >= least

/** What is wrong with the options, if anything. */
export const checkOptions = <P, B, C, E, R>(
  options: TrainOptions<P, B, C, E, R>,
): InvalidTraining | undefined => {
  const { steps, accumulate, average, clip, evaluate } = options
  const count = "Give a whole number from 1."
  const rules: ReadonlyArray<
    readonly [string, number | undefined, (value: number) => boolean, string]
  > = [
    ["steps", steps, wholeFrom(0), "Give a whole number from 0."],
    ["accumulate", accumulate, wholeFrom(1), count],
    ["average", average, (value) => value >= 0 && value < 1, "Give a decay from 0 to below 1."],
    ["clip", clip, (value) => value > 0, "Give a norm above 0."],
    ["evaluate.every", evaluate?.every, wholeFrom(1), count],
    ["evaluate.patience", evaluate?.patience, wholeFrom(1), count],
  ]
  for (const [option, found, isSound, hint] of rules) {
    if (found !== undefined && !isSound(found)) return new InvalidTraining({ option, found, hint })
  }
  return undefined
}

/** What a device lacks for the precision that was asked for, if anything. */
export const checkPrecision = (
  precision: "f32" | "f16" | undefined,
  info: { readonly kind: string; readonly dtypes: ReadonlyArray<string> },
): UnsupportedDType | undefined =>
  precision !== "f16" || info.dtypes.includes("f16")
    ? undefined
    : new UnsupportedDType({
        dtype: "f16",
        device: info.kind,
        hint: 'Train with precision "f32", or on a GPU with shader-f16.',
      })
