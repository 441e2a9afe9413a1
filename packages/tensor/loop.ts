import { isFloat } from "./dtype.ts"
import { ShapeError } from "./errors.ts"
import type { CustomKernel, Operand } from "./ir/kernel.ts"
import { makeCall } from "./ops/call.ts"
import { zeros } from "./ops/composite.ts"
import { add } from "./ops/pointwise.ts"
import { scalar } from "./ops/source.ts"
import { pullback } from "./pullback.ts"
import { topological } from "./schedule/graph.ts"
import { makeSchedule } from "./schedule/schedule.ts"
import type { Tensor } from "./tensor.ts"
import * as Tree from "./tree.ts"
import type { Mapped } from "./tree.ts"
import type { Body, Round } from "./loop_body.ts"
import { replaceIn, traceBody, typeOf } from "./loop_body.ts"
import { loopSchedule } from "./loop_schedule.ts"

/** {@link scan} over lists of tensors; `step` is 1 or, from the last row to the first, −1. */
const scanLists = (
  round: Round,
  init: ReadonlyArray<Tensor>,
  xs: ReadonlyArray<Tensor>,
  length: number,
  step: 1 | -1,
): { readonly carries: ReadonlyArray<Tensor>; readonly ys: ReadonlyArray<Tensor> } => {
  const { body, captured } = traceBody(round, init, xs)
  const rows = (tensor: Tensor) => ({ dtype: tensor.dtype, shape: [length, ...tensor.shape] })
  const [carryCount, yCount] = [init.length, body.ys.length]
  const results = [...init.map(typeOf), ...body.ys.map(rows), ...init.map(rows)]
  const whole = makeSchedule(
    "round",
    [body.index, ...body.carries, ...body.arrays],
    [...body.nextCarries, ...body.ys],
  )
  const key = `${whole.hash} ${length} ${step}`
  const start = scalar(step > 0 ? 0 : length - 1, "i32")
  const found = makeCall(
    {
      name: "scan",
      key,
      results,
      lower: (used) => {
        const reference = loopSchedule(body, length, step, {
          finals: used.slice(0, carryCount),
          ys: used.slice(carryCount, carryCount + yCount),
          saved: used.slice(carryCount + yCount),
        })
        const operand = (id: number, access: Operand["access"]): Operand => {
          const { dtype, length: count } = reference.buffers[id]
          return { dtype, length: count, access }
        }
        const kernel: CustomKernel = {
          kind: "custom",
          name: "scan",
          key,
          operands: [
            ...reference.inputs.map((id) => operand(id, "read")),
            ...reference.outputs.map((id) => operand(id, "write")),
          ],
          reference,
        }
        return { kernel, written: used.flatMap((is, i) => (is ? [i] : [])) }
      },
      pullback: (gradients, given, result) => {
        const [, ...all] = given
        const arrays = all.slice(carryCount)
        const flows = backwards(body, xs.length, length, step, {
          carries: gradients.slice(0, carryCount),
          ys: gradients.slice(carryCount, carryCount + yCount),
          saved: init.map((_, i) => result(carryCount + yCount + i)),
          arrays,
        })
        return [undefined, ...flows]
      },
    },
    [start, ...init, ...xs, ...captured],
  )
  return { carries: found.slice(0, carryCount), ys: found.slice(carryCount, carryCount + yCount) }
}

/**
 * Gradients of a scan with respect to its carries and arrays: a scan the other way, which computes
 * each round again from the carry that was saved before it.
 */
const backwards = (
  body: Body,
  rowArrays: number,
  length: number,
  step: 1 | -1,
  given: {
    readonly carries: ReadonlyArray<Tensor | undefined>
    readonly ys: ReadonlyArray<Tensor | undefined>
    readonly saved: ReadonlyArray<Tensor>
    readonly arrays: ReadonlyArray<Tensor>
  },
): ReadonlyArray<Tensor | undefined> => {
  const floats = (tensors: ReadonlyArray<Tensor>): ReadonlyArray<number> =>
    tensors.flatMap(({ dtype }, i) => (isFloat(dtype) ? [i] : []))
  const carried = floats(body.carries)
  const rowed = floats(body.arrays.slice(0, rowArrays))
  const held = floats(body.arrays.slice(rowArrays)).map((i) => rowArrays + i)
  const flowing = given.ys.flatMap((flow, k) => (flow === undefined ? [] : [k]))
  const zeroLike = ({ shape, dtype }: Tensor): Tensor => zeros(shape, dtype)
  const init = [
    ...carried.map((i) => given.carries[i] ?? zeroLike(body.carries[i])),
    ...held.map((i) => zeroLike(body.arrays[i])),
  ]
  const rows = [
    ...given.saved,
    ...given.arrays.slice(0, rowArrays),
    ...flowing.map((k) => given.ys[k]!),
  ]
  const round: Round = (index, flows, xs) => {
    const saved = xs.slice(0, body.carries.length)
    const here = xs.slice(body.carries.length, body.carries.length + rowArrays)
    const yFlows = xs.slice(body.carries.length + rowArrays)
    const outer = given.arrays.slice(rowArrays)
    // The round reads its row through a `take`: its gradient with respect to that row is wanted.
    const taken = new Map<Tensor, Tensor>()
    const outputs = [...body.nextCarries, ...body.ys]
    for (const node of topological(outputs)) {
      if (node.operation.name !== "take" || node.inputs[1] !== body.index) continue
      const at = body.arrays.indexOf(node.inputs[0])
      if (at >= 0 && at < rowArrays) taken.set(node, here[at])
    }
    const again = replaceIn(
      outputs,
      new Map<Tensor, Tensor>([
        [body.index, index],
        ...body.carries.map((carry, i) => [carry, saved[i]] as const),
        ...body.arrays.slice(rowArrays).map((array, i) => [array, outer[i]] as const),
        ...taken,
      ]),
    )
    const nextFlows = body.nextCarries.map((_, i) => {
      const at = carried.indexOf(i)
      return at < 0 ? undefined : flows[at]
    })
    const outFlows = body.ys.map((_, k) => {
      const at = flowing.indexOf(k)
      return at < 0 ? undefined : yFlows[at]
    })
    const wanted = [
      ...carried.map((i) => saved[i]),
      ...rowed.map((i) => here[i]),
      ...held.map((i) => outer[i - rowArrays]),
    ]
    const found = pullback(again, [...nextFlows, ...outFlows], wanted)
    const carryFlows = carried.map((_, i) => found[i] ?? zeroLike(saved[carried[i]]))
    const rowFlows = rowed.map((i, n) => found[carried.length + n] ?? zeroLike(here[i]))
    const sums = held.map((_, n) => {
      const flow = found[carried.length + rowed.length + n]
      const sum = flows[carried.length + n]
      return flow === undefined ? sum : add(sum, flow)
    })
    return { carries: [...carryFlows, ...sums], ys: rowFlows }
  }
  const { carries, ys } = scanLists(round, init, rows, length, step === 1 ? -1 : 1)
  const place = (list: ReadonlyArray<number>, from: ReadonlyArray<Tensor>, i: number) =>
    list.includes(i) ? from[list.indexOf(i)] : undefined
  return [
    ...body.carries.map((_, i) => place(carried, carries, i)),
    ...body.arrays.map((_, i) =>
      i < rowArrays ? place(rowed, ys, i) : place(held, carries.slice(carried.length), i),
    ),
  ]
}

/** What {@link scan} starts from and goes over. */
export interface ScanOptions<C, X> {
  /** A tree of tensors: what the first round is given. */
  readonly carry: C
  /** A tree of tensors `[length, …]`; each round gets one row of each. */
  readonly over?: X
  /** Number of rounds; needed where there is nothing to go over. */
  readonly length?: number
  /** From the last row to the first. */
  readonly reverse?: boolean
}

/**
 * A loop: `carry, ys[i] = round(carry, xs[i], i)` for each row in turn. It is one call in the program
 * however many rounds it has, and it has a gradient: the carries before each round are kept, and
 * the rest of a round is computed again on the way back. What `round` uses from outside is computed
 * once.
 *
 * Throws `ShapeError` where a round gives back another shape, or where rows do not agree.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Interpreter, Program, Tensor } from "@espalier/tensor"
 *
 * const fibonacci = Program.evaluate(() => {
 *   const one = Tensor.scalar(1)
 *   const { ys } = Program.scan(
 *     ([a, b]: readonly [Tensor.Tensor, Tensor.Tensor]) => ({ carry: [b, Tensor.add(a, b)] as const, y: a }),
 *     { carry: [one, one] as const, length: 6 },
 *   )
 *   return ys
 * }).pipe(Effect.flatMap(Tensor.toArray), Effect.scoped, Effect.provide(Interpreter.layer))
 * console.log(await Effect.runPromise(fibonacci)) // [ 1, 1, 2, 3, 5, 8 ]
 * ```
 */
export const scan = <C, Y, X = readonly []>(
  round: (carry: C, x: X, index: Tensor) => { readonly carry: C; readonly y: Y },
  options: ScanOptions<C, X>,
): { readonly carry: C; readonly ys: Mapped<Y, Tensor, Tensor> } => {
  const { carry, over = [] as unknown as X, reverse = false } = options
  const init = Tree.leaves<Tensor>(carry)
  const xs = Tree.leaves<Tensor>(over)
  const length = options.length ?? xs[0]?.shape[0]
  const agree = xs.every((x) => x.shape[0] === length)
  if (length === undefined || length < 1 || init.length === 0 || !agree) {
    const shapes = xs.map((x) => x.shape)
    const problem = "needs a carry, and rows of one length (or a length) of at least 1"
    throw new ShapeError({ operation: "scan", shapes, problem })
  }
  let shapeOfYs: Y | undefined
  const { carries, ys } = scanLists(
    (index, carried, rows) => {
      const made = round(
        Tree.fill<Tensor, Tensor, C>(carry, carried) as C,
        Tree.fill<Tensor, Tensor, X>(over, rows) as X,
        index,
      )
      shapeOfYs = made.y
      return { carries: Tree.leaves<Tensor>(made.carry), ys: Tree.leaves<Tensor>(made.y) }
    },
    init,
    xs,
    length,
    reverse ? -1 : 1,
  )
  return {
    carry: Tree.fill<Tensor, Tensor, C>(carry, carries) as C,
    ys: Tree.fill<Tensor, Tensor, Y>(shapeOfYs as Y, ys),
  }
}
