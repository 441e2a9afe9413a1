import { stratifiedGroupFolds } from "@espalier/evaluation"
import type { TrainError } from "@espalier/nn"
import { Progress } from "@espalier/runtime"
import type { Device } from "@espalier/tensor"
import { Effect, type Scope } from "effect"
import { detect, type DetectorOptions, trainDetector, type Verdict } from "./detector.ts"
import { TooFewItems } from "./errors.ts"
import type { Item } from "./item.ts"
import { groupNearDuplicates } from "./near_duplicates.ts"

/** How items are parted and what is trained. */
export interface CrossValidationOptions extends DetectorOptions {
  /** 5. */
  readonly folds?: number
}

/** Verdicts on items by detectors that have seen neither them nor what is nearly the same. */
export interface CrossValidation {
  readonly verdicts: ReadonlyArray<Verdict>
  /** The fold of each item. */
  readonly folds: ReadonlyArray<number>
  /** Pairs of items with nearly the same claim or context; both are in one fold. */
  readonly duplicatePairs: number
}

/**
 * Trains a detector for each fold on the others and judges the fold with it. Labels are spread evenly
 * over the folds and near-duplicates stay together; temperature and budget are chosen inside of the
 * training items.
 */
export const crossValidate = Effect.fn("crossValidate")(function* (
  items: ReadonlyArray<Item>,
  options: CrossValidationOptions = {},
): Effect.fn.Return<CrossValidation, TrainError | TooFewItems, Device | Scope.Scope> {
  const { folds: count = 5, seed = 0 } = options
  const { groups, pairs } = groupNearDuplicates(items)
  const held = new Set(groups).size
  if (held < count) {
    return yield* new TooFewItems({
      detail: `${held} groups of items cannot be parted into ${count} folds`,
      hint: "Give more items, or ask for fewer folds.",
    })
  }
  const folds = stratifiedGroupFolds(
    items.map(({ label }, i) => ({ label, group: groups[i] })),
    count,
    seed,
  )
  const verdicts: Array<Verdict> = []
  for (let fold = 0; fold < count; fold++) {
    const detector = yield* trainDetector(
      items.filter((_, i) => folds[i] !== fold),
      options,
    )
    for (const [i, item] of items.entries()) {
      if (folds[i] === fold) verdicts[i] = detect(detector, item)
    }
    yield* Progress.report({
      task: "cross-validating",
      completed: fold + 1,
      total: count,
      unit: "folds",
    })
  }
  return { verdicts, folds, duplicatePairs: pairs }
})
