import { Ir } from "@espalier/tensor"
import type { Access } from "./dependencies.ts"
import { access, strideAlong } from "./dependencies.ts"
import type { Bound, Emitter } from "./emitter.ts"
import { isSteady } from "./lane_patterns.ts"
import type { Evaluator } from "./expression_compiler.ts"

/** One exported function: run it over `[0, extent)` in parts whose bounds are multiples of `grain`. */
export interface Stage {
  readonly name: string
  readonly extent: number
  readonly grain: number
  /** About how many vector instructions the whole range takes. */
  readonly work: number
  /** Into how many parts to cut a thread's share: fewer where every part prepares something. */
  readonly partsPerThread: number
}

export const product = (extents: ReadonlyArray<number>): number =>
  extents.reduce((total, extent) => total * extent, 1)

/** The loads in `roots`, each once. */
export const loadsOf = (roots: ReadonlyArray<Ir.Expression>): ReadonlyArray<Access> =>
  Ir.reachable(roots)
    .filter((node) => node.kind === "load")
    .map((node) => access(node.operand, node.index))

const heavy: ReadonlySet<string> = new Set(["exp", "log", "sin", "cos", "tanh", "erf", "power"])

/** About how many instructions one evaluation of `roots` takes. */
export const weight = (roots: ReadonlyArray<Ir.Expression>): number => {
  let total = 0
  for (const node of Ir.reachable(roots)) {
    if (node.kind === "constant" || node.kind === "variable") continue
    const name = node.kind === "unary" || node.kind === "binary" ? node.function : ""
    total += heavy.has(name) ? 20 : 1
  }
  return total
}

/**
 * What a vector of four costs along `variable`, for each element: unit steps are one instruction,
 * others four, indices that are not affine more; short loops waste lanes.
 */
export const vectorCost = (
  variable: number,
  extent: number,
  body: number,
  accesses: ReadonlyArray<Access>,
): number => {
  let cost = body
  for (const target of accesses) {
    const stride = strideAlong(target, variable)
    if (stride === undefined) cost += isSteady(target.index, variable) ? 1 : 10
    else if (stride === 0) cost += 0.2
    else cost += Math.abs(stride) === 1 ? 1 : 6
  }
  const rounds = Math.floor(extent / 4) + (extent % 4)
  return (cost * rounds) / extent
}

/** The loop that costs least in the lanes, the last of equals; `undefined` where all cost more than `limit`. */
export const cheapestLoop = (
  loops: ReadonlyArray<{ readonly variable: number; readonly extent: number }>,
  body: number,
  accesses: ReadonlyArray<Access>,
  limit: number,
): { readonly variable: number; readonly cost: number } | undefined => {
  let found: { readonly variable: number; readonly cost: number } | undefined
  for (const { variable, extent } of loops) {
    const cost = vectorCost(variable, extent, body, accesses)
    if (cost <= (found?.cost ?? limit)) found = { variable, cost }
  }
  return found
}

/** The element index of a dense output over `extents`, whose loops are variables 0, 1, … */
export const denseIndex = (
  builder: Ir.ExpressionBuilder,
  extents: ReadonlyArray<number>,
): Ir.Expression =>
  builder.linearize(
    extents.map((extent, index) => builder.variable(index, extent)),
    extents,
  )

/** Where a vector loop stands: at `local + offset`, with four elements or one. */
export interface VectorPlace {
  readonly local: number
  readonly offset: number
  readonly lanes: boolean
}

/**
 * Writes a loop over the vector variable: `unroll` vectors a round, then single vectors, then
 * single elements with all lanes equal. `body` is called for each version of the code.
 */
export const vectorLoop = (
  evaluator: Evaluator,
  variable: number,
  from: Bound,
  to: Bound,
  unroll: number,
  roots: ReadonlyArray<Ir.Expression>,
  stores: ReadonlyArray<Access>,
  body: (place: VectorPlace) => void,
): void => {
  const { emitter } = evaluator
  const { f } = emitter
  const local = f.local("i32")
  emitter.push(from)
  f.set(local)
  for (const vectors of unroll > 1 ? [unroll, 1] : [1]) {
    emitter.loopFrom(local, emitter.wholeSteps(from, to, 4 * vectors), 4 * vectors, () => {
      evaluator.scope(() => {
        evaluator.bindLanes(variable, local)
        evaluator.hoist(roots)
        for (const target of stores) evaluator.hoistAccess(target)
        for (let u = 0; u < vectors; u++) {
          evaluator.scope(() => {
            evaluator.bindLanes(variable, local, 1, 4 * u)
            body({ local, offset: 4 * u, lanes: true })
          })
        }
      })
    })
  }
  emitter.loopFrom(local, to, 1, () => {
    evaluator.scope(() => {
      evaluator.bind(variable, local)
      body({ local, offset: 0, lanes: false })
    })
  })
}

/** Binds `variables` in nested loops, hoisting `roots` on the way, with `body` inside. */
export const nest = (
  evaluator: Evaluator,
  loops: ReadonlyArray<{ readonly variable: number; readonly from: Bound; readonly to: Bound }>,
  hoist: () => void,
  body: () => void,
): void => {
  const [first, ...rest] = loops
  if (first === undefined) {
    body()
    return
  }
  const { emitter } = evaluator
  emitter.loop(first.from, first.to, 1, (local) => {
    evaluator.scope(() => {
      evaluator.bind(first.variable, local)
      hoist()
      nest(evaluator, rest, hoist, body)
    })
  })
}

/**
 * Which loop threads share: the outermost with enough rounds, else the longest. `undefined` where
 * there are no loops.
 */
export const splitLoop = (extents: ReadonlyArray<number>): number | undefined => {
  if (extents.length === 0) return undefined
  const enough = extents.findIndex((extent) => extent >= 32)
  return enough >= 0 ? enough : extents.indexOf(Math.max(...extents))
}

/** Bounds of loop `index`: the part of this call where it is the shared loop. */
export const boundsOf = (
  emitter: Emitter,
  index: number,
  split: number | undefined,
  extent: number,
): { readonly from: Bound; readonly to: Bound } =>
  index === split ? { from: emitter.start, to: emitter.end } : { from: 0, to: extent }
