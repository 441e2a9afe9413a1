/** Everything that makes a tensor out of tensors. */
export { Tensor } from "./tensor.ts"
export type { TensorType } from "./tensor.ts"
export { toArray } from "./device_array.ts"
export * from "./ops/composite.ts"
export { matmul } from "./ops/contraction.ts"
export { scatterAdd, take, updateRows } from "./ops/indexing.ts"
export {
  broadcastTo,
  concat,
  expandDims,
  flip,
  pad,
  permute,
  reshape,
  slice,
  sliceAxis,
  stack,
  transpose,
} from "./ops/movement.ts"
export {
  abs,
  add,
  and,
  bitcast,
  cast,
  ceil,
  cos,
  div,
  equal,
  erf,
  exp,
  floor,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  maximum,
  minimum,
  mul,
  neg,
  not,
  notEqual,
  or,
  pow,
  rem,
  round,
  shl,
  shr,
  sign,
  sin,
  sqrt,
  stopGradient,
  sub,
  tanh,
  trunc,
  where,
  xor,
} from "./ops/pointwise.ts"
export type { Operand } from "./ops/pointwise.ts"
export { argmax, argmin, max, mean, min, prod, sum } from "./ops/reduction.ts"
export type { ReduceOptions } from "./ops/reduction.ts"
export { cumsum } from "./ops/scan.ts"
export { fromHost, iota, scalar } from "./ops/source.ts"
export { argsort, sort, topK } from "./sort.ts"
export type { SortOptions } from "./sort.ts"
