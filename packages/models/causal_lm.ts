import type { Tensor } from "@espalier/tensor"
import { Spec, Tree as Trees } from "@espalier/tensor"

type T = Tensor.Tensor

/** A tree of arrays whose structure only the model knows. */
export type Tree = unknown

/** A linear of a block that pruning and quantisation may change: `y = W x`, W is (out × in). */
export interface NamedLinear {
  /** Its key in the block's parameters, such as `query`. */
  readonly name: string
  /** Its full name for people and errors, such as `blocks.0.query`. */
  readonly path: string
  readonly shape: readonly [outputs: number, inputs: number]
}

/** Told the input of each linear while a block is traced: shape [..., inputs]. */
export type Observe = (linear: string, input: T) => void

/** Linears whose inputs can be scaled without changing what the block computes. */
export interface FoldableInputs {
  /** All linears that are given these inputs. */
  readonly linears: ReadonlyArray<string>
  /** Parameters of the block: dividing their row j by a positive number divides input j by it. */
  readonly into: ReadonlyArray<string>
}

/** One block: maps hidden states [batch, length, dimension] to hidden states. */
export interface Block {
  readonly index: number
  readonly linears: ReadonlyArray<NamedLinear>
  readonly foldable?: ReadonlyArray<FoldableInputs>
  /** The block's own part of the parameters. */
  readonly parameters: (all: Tree) => Readonly<Record<string, unknown>>
  /** All parameters with this block's part replaced. */
  readonly replace: (all: Tree, own: Readonly<Record<string, unknown>>) => Tree
  /**
   * Traces the block. Blocks of one `signature` trace to the same program and can share it.
   */
  readonly forward: (own: Readonly<Record<string, T>>, hidden: T, observe?: Observe) => T
  readonly signature: string
}

/**
 * What every decoder-only language model here can do. Generation, perplexity, zero-shot evaluation,
 * calibration and training work on this and never on a model family.
 *
 * Parameters are a tree of host arrays; tracing functions get the same tree of tensors.
 */
export interface CausalLM {
  /** `llama`, and later `tnl`, `hgrn2`, `mamba` … */
  readonly family: string
  readonly vocabularySize: number
  /** Longest sequence the model takes. */
  readonly contextLength: number
  readonly dimension: number
  readonly parameters: Tree
  /** The same model with other parameters of the same structure. */
  readonly withParameters: (parameters: Tree) => CausalLM
  /**
   * Token ids `i32` [batch, length] to hidden states [batch, length, dimension]. Reads no parameter
   * of a block, so that calibration need not have them at hand.
   */
  readonly embed: (parameters: Tree, tokens: T) => T
  readonly blocks: ReadonlyArray<Block>
  /** Hidden states after the last block to logits [..., vocabulary]. */
  readonly head: (parameters: Tree, hidden: T) => T
  /** Shapes of the decoding state for one sequence of at most `maxContext` tokens. */
  readonly stateSpec: (maxContext: number) => Tree
  /**
   * One token of one sequence: `token` and `position` are `i32` scalars; gives logits [vocabulary]
   * and the next state, which has the structure of `stateSpec`.
   */
  readonly step: (
    parameters: Tree,
    state: Tree,
    token: T,
    position: T,
  ) => { readonly logits: T; readonly state: Tree }
}

/**
 * Token ids `i32` [batch, length] to logits [batch, length, vocabulary].
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter, Program, Spec } from "@espalier/tensor"
 * import { forward, initializeLlama, makeLlama, makeLlamaConfig, parameterSpecs } from "@espalier/models"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const fresh = initializeLlama(config, 0).pipe(Effect.provide(Interpreter.layer))
 * const model = makeLlama(config, await Effect.runPromise(fresh))
 * const inputs = { parameters: parameterSpecs(model), tokens: Spec.i32([2, 8]) }
 * const program = Program.make("logits", inputs, ({ parameters, tokens }) =>
 *   forward(model, parameters, tokens),
 * )
 * console.log(program.outputs.shape) // [ 2, 8, 16 ]
 * ```
 */
export const forward = (model: CausalLM, parameters: Tree, tokens: T): T => {
  let hidden = model.embed(parameters, tokens)
  for (const block of model.blocks) {
    hidden = block.forward(block.parameters(parameters) as Readonly<Record<string, T>>, hidden)
  }
  return model.head(parameters, hidden)
}

/** The specs of a model's parameters, for programs that take them as an input. */
export const parameterSpecs = (model: CausalLM): Tree => Spec.of(model.parameters)

/** How many numbers a model has; a tied head is not counted twice. */
export const countParameters = (model: CausalLM): number =>
  Trees.leaves<{ readonly shape: ReadonlyArray<number> }>(model.parameters).reduce(
    (total, { shape }) => total + shape.reduce((product, extent) => product * extent, 1),
    0,
  )
