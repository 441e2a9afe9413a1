/** What happens in a training run, as data. */
export type TrainEvent =
  | {
      /** The run goes on from a checkpoint, after this step. */
      readonly _tag: "Resumed"
      readonly step: number
    }
  | {
      readonly _tag: "StepDone"
      /** Counted from 1. */
      readonly step: number
      readonly steps: number
      readonly loss: number
      /** Before clipping. */
      readonly gradientNorm: number
      readonly learningRate: number
      /** Bytes that the device holds. */
      readonly deviceBytes: number
      /** What the steps consume in a second, in `items`; absent before the second step. */
      readonly itemsPerSecond?: number
      readonly secondsLeft?: number
    }
  | {
      /** A gradient overflowed `f16`: the step changed nothing, and the scale of the loss is halved. */
      readonly _tag: "StepSkipped"
      readonly step: number
      readonly lossScale: number
    }
  | {
      readonly _tag: "Evaluated"
      readonly step: number
      readonly value: number
      /** Whether it is the smallest so far. */
      readonly isBest: boolean
    }
  | {
      readonly _tag: "Saved"
      readonly step: number
    }
  | {
      /** No evaluation was better than that of step `best` for as long as patience lasted. */
      readonly _tag: "StoppedEarly"
      readonly step: number
      readonly best: number
    }
