import type { Product } from "./contract.ts"
import type { Bound, Emitter } from "./emitter.ts"
import type { Evaluator } from "./expression_compiler.ts"
import { loadsOf, vectorCost, vectorLoop } from "./loops.ts"

/** True when an operand is better read along variable `a` than along variable `b`. */
export const prefers = (
  value: Product["rows"]["value"],
  a: { readonly variable: number; readonly extent: number },
  b: { readonly variable: number; readonly extent: number },
): boolean => {
  const loads = loadsOf([value])
  return vectorCost(a.variable, a.extent, 0, loads) < vectorCost(b.variable, b.extent, 0, loads)
}

/** Hoists what the output expressions need. */
export const hoistOutputs = (evaluator: Evaluator, product: Product): void => {
  evaluator.hoist(product.values)
  for (const target of product.stores) evaluator.hoistAccess(target)
}

/** Evaluates the output expressions for the sum in a local, and stores them. */
export const writeOutputs = (evaluator: Evaluator, product: Product, sum: number): void => {
  evaluator.bindArgument(0, sum)
  const results = product.values.map((value) => evaluator.vector(value))
  for (const [i, target] of product.stores.entries()) {
    const { dtype } = product.kernel.operands[target.operand]
    evaluator.store(target, dtype, results[i])
  }
}

/**
 * Writes one row of finished sums through the output expressions. `address` is a local with the
 * address that the sum of column 0 would have.
 */
export const writeRow = (
  evaluator: Evaluator,
  product: Product,
  address: number,
  from: Bound,
  to: Bound,
): void => {
  const { emitter } = evaluator
  const { f } = emitter
  const { columns, values, stores } = product
  vectorLoop(evaluator, columns.variable, from, to, 1, values, stores, (place) => {
    f.get(address).get(place.local).i32(2).op("i32.shl").op("i32.add")
    f.memory(place.lanes ? "v128.load" : "v128.load32_splat", 4 * place.offset)
    writeOutputs(evaluator, product, emitter.keep("v128"))
  })
}

/** `min(a + step, b)` in a fresh local. */
export const blockEnd = (emitter: Emitter, a: number, step: number, b: Bound): number => {
  const { f } = emitter
  f.get(a).i32(step).op("i32.add")
  const end = emitter.keep("i32")
  f.get(end)
  emitter.push(b)
  f.get(end)
  emitter.push(b)
  f.op("i32.lt_s").op("select").set(end)
  return end
}
