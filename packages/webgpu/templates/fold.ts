import type { Ir, WgslBuilder } from "@espalier/tensor"
import { Accumulator } from "./accumulator.ts"
import type { MutableFrame } from "./common.ts"
import { delinearize, frameIn, loopBound, product } from "./common.ts"
import type { Strategy } from "./strategy.ts"

/** What a reduction folds: the part that a reduce kernel and a stage of a rows kernel share. */
export interface Fold {
  readonly elements: ReadonlyArray<Ir.Expression>
  readonly combine: Ir.Combine
  readonly reduceLoops: ReadonlyArray<number>
  /** Index of the first reduce variable. */
  readonly first: number
}

/** Longer folds are cut in blocks of this length, each with a sum of its own: rounding grows slower. */
const block = 128

export const innerVariables = ({ reduceLoops, first }: Fold): ReadonlySet<number> =>
  new Set(reduceLoops.map((_, i) => first + i))

/** Folds the elements at reduce position `r`. */
export const foldAt = (
  fold: Fold,
  writer: WgslBuilder.Writer,
  outer: WgslBuilder.Frame,
  accumulator: Accumulator,
  r: string,
): void => {
  const frame = frameIn(outer)
  delinearize(writer, frame, r, fold.reduceLoops, fold.first, fold.elements)
  accumulator.add(writer.evaluate(frame, fold.elements), frame)
}

/** Opens the reduce loops as a nest and folds what is inside. */
const nest = (
  fold: Fold,
  writer: WgslBuilder.Writer,
  outer: MutableFrame,
  accumulator: Accumulator,
  depth: number,
  strategy: Strategy,
): void => {
  if (depth === fold.reduceLoops.length) {
    accumulator.add(writer.evaluate(frameIn(outer), fold.elements), outer)
    return
  }
  const extent = fold.reduceLoops[depth]
  const frame = frameIn(outer)
  if (extent === 1) {
    frame.variables[fold.first + depth] = "0"
    nest(fold, writer, frame, accumulator, depth + 1, strategy)
    return
  }
  const variable = writer.name("r")
  frame.variables[fold.first + depth] = variable
  writer.block(
    `for (var ${variable} = 0; ${variable} < ${loopBound(extent, strategy)}; ${variable}++)`,
    () => {
      const rest = product(fold.reduceLoops.slice(depth + 1))
      if (rest < block || depth + 1 === fold.reduceLoops.length) {
        nest(fold, writer, frame, accumulator, depth + 1, strategy)
        return
      }
      const part = new Accumulator(writer, fold.combine)
      nest(fold, writer, frame, part, depth + 1, strategy)
      accumulator.add(part.names, frame)
    },
  )
}

/** Everything in order, in one invocation. */
export const foldSerially = (
  fold: Fold,
  writer: WgslBuilder.Writer,
  outer: WgslBuilder.Frame,
  strategy: Strategy,
): Accumulator => {
  const { elements, combine, reduceLoops } = fold
  const inner = frameIn(outer)
  writer.hoist(inner, elements, innerVariables(fold))
  const accumulator = new Accumulator(writer, combine)
  const length = product(reduceLoops)
  const long = reduceLoops.filter((extent) => extent > 1)
  if (long.length > 1 || length <= 2 * block) {
    nest(fold, writer, inner, accumulator, 0, strategy)
    return accumulator
  }
  const [start, end, r] = [writer.name("start"), writer.name("end"), writer.name("r")]
  writer.block(
    `for (var ${start} = 0; ${start} < ${loopBound(length, strategy)}; ${start} += ${block})`,
    () => {
      const part = new Accumulator(writer, combine)
      writer.line(`let ${end} = min(${start} + ${loopBound(block, strategy)}, ${length});`)
      writer.block(`for (var ${r} = ${start}; ${r} < ${end}; ${r}++)`, () =>
        foldAt(fold, writer, inner, part, r),
      )
      accumulator.add(part.names, inner)
    },
  )
  return accumulator
}

/**
 * The share of one of `count` neighbouring lanes, `lane` counted among them as an `i32`. Lanes take
 * turns where the order is free, and have a range each where it is not.
 */
export const foldShare = (
  fold: Fold,
  writer: WgslBuilder.Writer,
  outer: WgslBuilder.Frame,
  lane: string,
  count: number,
  strategy: Strategy,
): Accumulator => {
  const { elements, combine, reduceLoops } = fold
  const inner = frameIn(outer)
  writer.hoist(inner, elements, innerVariables(fold))
  const accumulator = new Accumulator(writer, combine)
  const length = product(reduceLoops)
  const share = Math.ceil(length / count)
  const r = writer.name("r")
  const header = accumulator.isCommutative
    ? `for (var ${r} = ${lane}; ${r} < ${loopBound(length, strategy)}; ${r} += ${count})`
    : `for (var ${r} = ${lane} * ${share}; ${r} < min((${lane} + 1) * ${share}, ${length}); ${r}++)`
  writer.block(header, () => foldAt(fold, writer, inner, accumulator, r))
  return accumulator
}
