import type { Pruner } from "@espalier/pruning"
import {
  admm,
  blockReconstruction,
  magnitude,
  maskedLeastSquares,
  sds,
  sparseGpt,
  wanda,
} from "@espalier/pruning"
import { Effect, Schema } from "effect"
import { Count, option, Penalty, Positive } from "../method_options.ts"

/** A pruning method as the command line and pipelines offer it. */
export interface PruneMethod {
  readonly name: string
  readonly description: string
  /** Reads a text. */
  readonly calibrated: boolean
  /** Its own options. */
  readonly options: Schema.Struct.Fields
  readonly make: (options: never) => Pruner
}

const mask = {
  mask: Schema.Literals(["wanda", "sparsegpt"])
    .annotate({ description: "the one-shot pruner that it starts from" })
    .pipe(Schema.withDecodingDefault(Effect.succeed("sparsegpt" as const))),
}

const damping = option(
  Penalty,
  "added to the Hessian's diagonal, as a share of its mean (default 0.01)",
)

const startOf = (name: "wanda" | "sparsegpt"): Pruner => (name === "wanda" ? wanda() : sparseGpt())

const define = <const F extends Schema.Struct.Fields>(method: {
  readonly name: string
  readonly description: string
  readonly calibrated: boolean
  readonly options: F
  readonly make: (options: Schema.Struct<F>["Type"]) => Pruner
}): PruneMethod => method

/** Every pruning method, by the name after `prune/`. */
export const pruneMethods: ReadonlyArray<PruneMethod> = [
  define({
    name: "magnitude",
    description: "Removes the smallest weights of each layer; needs no text.",
    calibrated: false,
    options: {},
    make: () => magnitude(),
  }),
  define({
    name: "wanda",
    description: "Removes the weights with the smallest |weight| · ‖input‖ of each output (Wanda).",
    calibrated: true,
    options: {},
    make: () => wanda(),
  }),
  define({
    name: "sparsegpt",
    description: "Removes weights column by column; those after them make good for it (SparseGPT).",
    calibrated: true,
    options: {
      damping,
      blockSize: option(Count, "columns among which an unstructured mask is chosen (default 128)"),
    },
    make: (options) => sparseGpt(options),
  }),
  define({
    name: "masked-least-squares",
    description:
      "Keeps the zeros of a one-shot pruner and refits all other weights to the dense layer.",
    calibrated: true,
    options: {
      ...mask,
      steps: option(Count, "conjugate gradient steps a round (default 40)"),
      rounds: option(Count, "rounds (default 3)"),
    },
    make: ({ mask: start, ...options }) =>
      maskedLeastSquares({ ...options, start: startOf(start) }),
  }),
  define({
    name: "sds",
    description:
      "Sparse–dense–sparse: prunes, lets connections come back, prunes again, refits (SDS).",
    calibrated: true,
    options: {
      ...mask,
      steps: option(Count, "steps of the dense phase (default 200)"),
      learningRate: option(Positive, "of the dense phase (default 0.01)"),
      absolutePenalty: option(Penalty, "λ₁ of the dense phase (default 0.01)"),
      squaredPenalty: option(Penalty, "λ₂ of the dense phase (default ten times λ₁)"),
      secondMask: option(
        Schema.Literals(["pruner", "magnitude"]),
        "what the second sparse phase removes weights by (default pruner)",
      ),
      keepBest: option(Schema.Boolean, "keep the first zeros where they lose less (default false)"),
    },
    make: ({ mask: start, ...options }) => sds({ ...options, start: startOf(start) }),
  }),
  define({
    name: "admm",
    description: "Finds zeros and weights together by alternating directions, then refits (ALPS).",
    calibrated: true,
    options: {
      ...mask,
      damping,
      penalty: option(Positive, "the first ρ (default 0.1)"),
      rounds: option(Count, "most rounds of 3 iterations (default 100)"),
    },
    make: ({ mask: start, ...options }) => admm({ ...options, start: startOf(start) }),
  }),
  define({
    name: "block",
    description:
      "Prunes each block by a layerwise method, then trains it to give its dense outputs.",
    calibrated: true,
    options: {
      ...mask,
      start: option(
        Schema.Literals(["masked-least-squares", "sds", "admm"]),
        "what chooses zeros and first weights, from mask on (default masked-least-squares)",
      ),
      epochs: option(Count, "how often all windows go through a block (default 40)"),
      learningRate: option(Positive, "of Adam, falling along a cosine (default 0.003)"),
      zeros: option(
        Schema.Literals(["fixed", "learned"]),
        "whether the zeros stay, or are chosen again as the block trains (default fixed)",
      ),
    },
    make: ({ mask: name, start = "masked-least-squares", zeros = "fixed", ...options }) => {
      const oneShot = startOf(name)
      const layerwise = {
        "masked-least-squares": maskedLeastSquares({ start: oneShot }),
        sds: sds({ start: oneShot }),
        admm: admm({ start: oneShot }),
      }
      return blockReconstruction({ ...options, mask: zeros, start: layerwise[start] })
    },
  }),
]
