import { Tensor } from "@espalier/tensor"
import type { AttentionAttributes } from "./shapes.ts"

type T = Tensor.Tensor

/** [batch, length, heads, width] → [batch, heads, length, width], each head `repeats` times. */
const byHead = (x: T, repeats = 1): T => {
  const [batch, length, heads, width] = x.shape
  const turned = Tensor.permute(x, [0, 2, 1, 3])
  if (repeats === 1) return turned
  const spread = Tensor.broadcastTo(Tensor.expandDims(turned, 2), [
    batch,
    heads,
    repeats,
    length,
    width,
  ])
  return Tensor.reshape(spread, [batch, heads * repeats, length, width])
}

/** [batch, heads · repeats, length, width] → [batch, length, heads, width], repeats added up. */
const fromHeads = (x: T, repeats = 1): T => {
  const [batch, heads, length, width] = x.shape
  const grouped = Tensor.reshape(x, [batch, heads / repeats, repeats, length, width])
  const joined = repeats === 1 ? Tensor.reshape(grouped, x.shape) : Tensor.sum(grouped, [2])
  return Tensor.permute(joined, [0, 2, 1, 3])
}

/** What masked scores become: large, finite, and exactly zero after the softmax. */
const masked = -1e30

/** Scores [batch, heads, queries, keys]. */
const scoresOf = (query: T, key: T, { causal, scale }: AttentionAttributes): T => {
  const repeats = query.shape[2] / key.shape[2]
  const products = Tensor.matmul(byHead(query), Tensor.transpose(byHead(key, repeats)))
  const scores = Tensor.mul(products, scale)
  if (!causal) return scores
  const [queries, keys] = [query.shape[1], key.shape[1]]
  const visible = Tensor.lessEqual(
    Tensor.iota([queries, keys], 1),
    Tensor.add(Tensor.iota([queries, keys], 0), keys - queries),
  )
  return Tensor.where(visible, scores, masked)
}

/** Output [batch, queries, heads, width] and log-sum of the scores [batch, queries, heads]. */
export const forwardReference = (
  inputs: ReadonlyArray<T>,
  attributes: AttentionAttributes,
): ReadonlyArray<T> => {
  const [query, key, value] = inputs
  const repeats = query.shape[2] / key.shape[2]
  const scores = scoresOf(query, key, attributes)
  const logSum = Tensor.logSumExp(scores)
  const weights = Tensor.exp(Tensor.sub(scores, logSum))
  const [batch, heads, queries] = scores.shape
  return [
    fromHeads(Tensor.matmul(weights, byHead(value, repeats))),
    Tensor.permute(Tensor.reshape(logSum, [batch, heads, queries]), [0, 2, 1]),
  ]
}

/**
 * Log-sum of the scores and D, the sum of dO ⊙ O over each row: [batch, queries, heads, 2].
 */
export const rowStatistics = (output: T, logSum: T, flow: T): T =>
  Tensor.stack([logSum, Tensor.sum(Tensor.mul(flow, output), [-1])], 3)

/**
 * Gradients of query, key and value, from those, the gradient dO of the output and the
 * {@link rowStatistics}. With P the weights:
 * dV = Pᵀ dO, dS = P ⊙ (dO Vᵀ − D) · scale, dQ = dS K, dK = dSᵀ Q (Dao et al. 2022, appendix B.2).
 */
export const backwardReference = (
  inputs: ReadonlyArray<T>,
  attributes: AttentionAttributes,
): ReadonlyArray<T> => {
  const [query, key, value, flow, statistics] = inputs
  const repeats = query.shape[2] / key.shape[2]
  const scores = scoresOf(query, key, attributes)
  const rows = Tensor.permute(statistics, [0, 2, 1, 3])
  const weights = Tensor.exp(Tensor.sub(scores, Tensor.sliceAxis(rows, 3, 0, 1)))
  const dots = Tensor.sliceAxis(rows, 3, 1, 2)
  const flows = byHead(flow)
  const weightFlows = Tensor.matmul(flows, Tensor.transpose(byHead(value, repeats)))
  const slopes = Tensor.mul(Tensor.mul(weights, Tensor.sub(weightFlows, dots)), attributes.scale)
  return [
    fromHeads(Tensor.matmul(slopes, byHead(key, repeats))),
    fromHeads(Tensor.matmul(Tensor.transpose(slopes), byHead(query)), repeats),
    fromHeads(Tensor.matmul(Tensor.transpose(weights), flows), repeats),
  ]
}
