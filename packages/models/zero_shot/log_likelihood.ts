import { Layers } from "@espalier/nn"
import { Progress } from "@espalier/runtime"
import type { CompileError, Device } from "@espalier/tensor"
import { DeviceArray, HostArray, NonFinite, Program, Spec, Tensor } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { CausalLM } from "../causal_lm.ts"
import { parameterSpecs } from "../causal_lm.ts"
import type { TokenRequest } from "./encode_request.ts"

/** What a model makes of a continuation. */
export interface Likelihood {
  /** The logarithm of its probability, in nats. */
  readonly logLikelihood: number
  /** Whether each of its tokens is the likeliest where it stands. */
  readonly greedy: boolean
}

/** Options of {@link logLikelihoods}. */
export interface LogLikelihoodOptions {
  /** Requests that run at once, where memory allows; 16. */
  readonly batch?: number | undefined
  /** What progress is reported as. */
  readonly task?: string | undefined
}

/** A static shape: requests of at most this length, predicting at most so many tokens. */
interface Bucket {
  readonly length: number
  readonly targets: number
  readonly requests: ReadonlyArray<number>
}

const shortest = 16
const fewestTargets = 4

/** The first of `least`, `least · factor`, … that `count` fits in. */
const roundUp = (count: number, least: number, factor: number): number => {
  let size = least
  while (size < count) size *= factor
  return size
}

/** Requests by shape, the longest first: what runs out of memory does so at once. */
const bucketsOf = (
  requests: ReadonlyArray<TokenRequest>,
  contextLength: number,
): ReadonlyArray<Bucket> => {
  const buckets = new Map<string, { length: number; targets: number; requests: Array<number> }>()
  for (const [i, { input, targets }] of requests.entries()) {
    const length = Math.min(contextLength, roundUp(input.length, shortest, 2))
    const count = Math.min(length, roundUp(targets.length, fewestTargets, 4))
    const bucket = buckets.get(`${length} ${count}`)
    if (bucket === undefined) {
      buckets.set(`${length} ${count}`, { length, targets: count, requests: [i] })
    } else bucket.requests.push(i)
  }
  return [...buckets.values()].sort((a, b) => b.length - a.length || b.targets - a.targets)
}

/** Logits that may be in memory at once. */
const logitLimit = 2 ** 26

const batchOf = (bucket: Bucket, vocabularySize: number, batch: number): number => {
  const fits = Math.floor(logitLimit / (bucket.targets * vocabularySize))
  return Math.max(1, Math.min(batch, bucket.requests.length, fits))
}

/**
 * Tokens [batch, length] to the log-probability of each target and the likeliest token in its place, both
 * [batch · targets]. `places` are rows of the hidden states: only their logits are ever computed.
 */
const makeProgram = (model: CausalLM, batch: number, length: number, targets: number) =>
  Program.make(
    "log-likelihood",
    {
      parameters: parameterSpecs(model),
      tokens: Spec.i32([batch, length]),
      places: Spec.i32([batch * targets]),
      targets: Spec.i32([batch * targets]),
    },
    ({ parameters, tokens, places, targets }) => {
      let hidden = model.embed(parameters, tokens)
      for (const block of model.blocks) {
        const own = block.parameters(parameters) as Readonly<Record<string, Tensor.Tensor>>
        hidden = block.forward(own, hidden)
      }
      const rows = Tensor.reshape(hidden, [batch * length, model.dimension])
      const logits = model.head(parameters, Tensor.take(rows, places))
      return {
        logProbabilities: Tensor.neg(Layers.crossEntropy(logits, targets)),
        likeliest: Tensor.argmax(logits, [-1]),
      }
    },
  )

/** The arrays of a batch: missing rows repeat the first request, missing targets are token 0 at place 0. */
const packBatch = (
  requests: ReadonlyArray<TokenRequest>,
  batch: number,
  bucket: Pick<Bucket, "length" | "targets">,
) => {
  const tokens = new Int32Array(batch * bucket.length)
  const places = new Int32Array(batch * bucket.targets)
  const targets = new Int32Array(batch * bucket.targets)
  for (let row = 0; row < batch; row++) {
    const request = requests[row] ?? requests[0]
    tokens.set(request.input, row * bucket.length)
    targets.set(request.targets, row * bucket.targets)
    const first = row * bucket.length + request.input.length - request.targets.length
    for (let i = 0; i < request.targets.length; i++) places[row * bucket.targets + i] = first + i
  }
  return {
    tokens: HostArray.make([batch, bucket.length], tokens, "i32"),
    places: HostArray.make([batch * bucket.targets], places, "i32"),
    targets: HostArray.make([batch * bucket.targets], targets, "i32"),
  }
}

/**
 * The log-likelihood of each request's targets after what stands before them. Requests run together by
 * length, padded on the right to a few static shapes with one program each: causal models do not see the
 * padding, so that a result does not depend on its company.
 *
 * Fails with `NonFinite` where the model gives numbers that are none.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, logLikelihoods, makeLlama, makeLlamaConfig } from "@espalier/models"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const found = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   const request = { input: Int32Array.of(1, 5, 3), targets: Int32Array.of(9), truncated: false }
 *   return yield* logLikelihoods(model, [request])
 * }).pipe(Effect.provide(Interpreter.layer), Effect.scoped, Effect.runPromise)
 * console.log(found[0].logLikelihood < 0) // true
 * ```
 */
export const logLikelihoods = Effect.fn("logLikelihoods")(function* (
  model: CausalLM,
  requests: ReadonlyArray<TokenRequest>,
  options: LogLikelihoodOptions = {},
): Effect.fn.Return<
  ReadonlyArray<Likelihood>,
  Program.RunError | CompileError | NonFinite,
  Device | Scope.Scope
> {
  const { task = "log-likelihoods" } = options
  const likelihoods = new Array<Likelihood>(requests.length)
  const parameters = yield* DeviceArray.fromHostTree(model.parameters)
  let completed = 0
  const report = () =>
    Progress.report({ task, completed, total: requests.length, unit: "requests" })

  const runBucket = Effect.fnUntraced(function* (bucket: Bucket) {
    const batch = batchOf(bucket, model.vocabularySize, options.batch ?? 16)
    const run = yield* Program.compile(makeProgram(model, batch, bucket.length, bucket.targets))
    for (let start = 0; start < bucket.requests.length; start += batch) {
      const indices = bucket.requests.slice(start, start + batch)
      const rows = indices.map((i) => requests[i])
      const result = yield* run({ parameters, ...packBatch(rows, batch, bucket) })
      const logProbabilities = yield* DeviceArray.toArray(result.logProbabilities)
      const likeliest = yield* DeviceArray.toArray(result.likeliest)
      DeviceArray.release(result)
      for (const [row, { targets }] of rows.entries()) {
        let logLikelihood = 0
        let greedy = true
        for (const [i, target] of targets.entries()) {
          const at = row * bucket.targets + i
          logLikelihood += logProbabilities[at]
          greedy &&= likeliest[at] === target
        }
        if (!Number.isFinite(logLikelihood)) {
          const hint = "The model's weights are damaged or its numbers overflow."
          const node = `request ${indices[row]}`
          return yield* new NonFinite({ program: "log-likelihood", node, step: 0, hint })
        }
        likelihoods[indices[row]] = { logLikelihood, greedy }
      }
      completed += rows.length
      yield* report()
      yield* Effect.yieldNow
    }
  }, Effect.scoped)

  yield* report()
  yield* Effect.forEach(bucketsOf(requests, model.contextLength), runBucket, { discard: true })
  return likelihoods
}, Effect.scoped)
