import type { Continuation, Grammar, Node, State } from "./probabilistic_grammar.ts"
import { continuations } from "./probabilistic_grammar.ts"

/** The entropy of a grammar. The end of a text counts as one token. */
export interface GrammarEntropy {
  readonly natsPerText: number
  readonly tokensPerText: number
  /** Nats per token of a long stream of texts: the lowest loss that a language model can have. */
  readonly natsPerToken: number
  /** `exp(natsPerToken)`: the floor of perplexity. */
  readonly perplexity: number
}

/**
 * The exact entropy by the chain rule over the places of the grammar. What the slots hold does not
 * matter: a word is drawn evenly, from a pool whose size is always the same.
 */
export const grammarEntropy = (grammar: Grammar): GrammarEntropy => {
  const known = new Map<Node, { readonly nats: number; readonly tokens: number }>()
  const from = (node: Node): { readonly nats: number; readonly tokens: number } => {
    const found = known.get(node)
    if (found !== undefined) return found
    const result = compute(node)
    known.set(node, result)
    return result
  }
  const compute = (node: Node) => {
    if (node.kind === "end") return { nats: 0, tokens: 1 }
    if (node.kind === "branch") {
      let nats = 0
      let tokens = 0
      for (const [probability, alternative] of node.alternatives) {
        const rest = from(alternative)
        nats += probability * (rest.nats - Math.log(probability))
        tokens += probability * rest.tokens
      }
      return { nats, tokens }
    }
    const rest = from(node.next)
    const drawn =
      node.kind === "choice"
        ? Math.log(node.choice.pool.length - (node.choice.except === undefined ? 0 : 1))
        : 0
    return { nats: drawn + rest.nats, tokens: 1 + rest.tokens }
  }
  const { nats, tokens } = from(grammar.start)
  return {
    natsPerText: nats,
    tokensPerText: tokens,
    natsPerToken: nats / tokens,
    perplexity: Math.exp(nats / tokens),
  }
}

interface Hypothesis {
  readonly state: State
  readonly weight: number
}

const nothing: State["slots"] = {}

/** Where a stream of texts may be at a moment chosen at random, before any word is seen. */
const stationary = (grammar: Grammar): ReadonlyArray<Hypothesis> => {
  // A place is visited after all the places before it: depth-first order, reversed.
  const order: Array<Node> = []
  const seen = new Set<Node>()
  const visit = (node: Node): void => {
    if (seen.has(node)) return
    seen.add(node)
    for (const [, next] of steps(node)) visit(next)
    order.push(node)
  }
  const steps = (node: Node): ReadonlyArray<readonly [number, Node]> =>
    node.kind === "end"
      ? []
      : node.kind === "branch"
        ? node.alternatives.flatMap(throughBranch)
        : [[1, node.next]]
  const throughBranch = ([probability, node]: readonly [number, Node]): ReadonlyArray<
    readonly [number, Node]
  > => steps(node).map(([inner, next]) => [probability * inner, next])
  visit(grammar.start)
  const visits = new Map<Node, number>([[grammar.start, 1]])
  for (const node of order.toReversed()) {
    for (const [probability, next] of steps(node)) {
      visits.set(next, (visits.get(next) ?? 0) + (visits.get(node) ?? 0) * probability)
    }
  }
  const total = order.reduce((sum, node) => sum + (visits.get(node) ?? 0), 0)
  return order.map((node) => ({
    state: { node, slots: nothing },
    weight: (visits.get(node) ?? 0) / total,
  }))
}

interface Remembered {
  readonly anywhere: ReadonlyArray<Hypothesis>
  readonly unknowing: Map<Node, ReadonlyArray<Continuation>>
}

const memory = new WeakMap<Grammar, Remembered>()

const remembered = (grammar: Grammar): Remembered => {
  const found = memory.get(grammar) ?? { anywhere: stationary(grammar), unknowing: new Map() }
  memory.set(grammar, found)
  return found
}

/** `continuations`, remembered for states without knowledge: those have many, and every window has them. */
const expandState = (grammar: Grammar, state: State): ReadonlyArray<Continuation> => {
  if (state.slots !== nothing) return continuations(grammar, state)
  const { unknowing } = remembered(grammar)
  const found = unknowing.get(state.node) ?? continuations(grammar, state)
  unknowing.set(state.node, found)
  return found
}

/** A reader of a stream who knows the grammar, and who predicts as well as the words so far allow. */
export interface Reader {
  /** The probability of every word that may come next. */
  readonly predict: () => ReadonlyMap<string, number>
  /** Takes the next word and returns the probability that it had: 0 if the grammar excludes it. */
  readonly read: (word: string) => number
}

/**
 * Makes an optimal reader. At `"start"` it begins with a text; at `"anywhere"` at a random place in a
 * stream, as a language model does with a window: it infers what it has not seen, by Bayes' rule over
 * all places and all contents of the slots.
 *
 * @example
 * ```ts
 * const grammar = makeGrammar([branch([0.6, ["One day"]], [0.4, ["Long ago"]])], "<s>")
 * makeReader(grammar, "start").predict().get("One") // 0.6
 * ```
 */
export const makeReader = (grammar: Grammar, place: "start" | "anywhere"): Reader => {
  const start: State = { node: grammar.start, slots: nothing }
  let belief: ReadonlyArray<Hypothesis> =
    place === "start" ? [{ state: start, weight: 1 }] : remembered(grammar).anywhere
  return {
    predict: () => {
      const words = new Map<string, number>()
      for (const { state, weight } of belief) {
        for (const { word, probability } of expandState(grammar, state)) {
          words.set(word, (words.get(word) ?? 0) + weight * probability)
        }
      }
      return words
    },
    read: (word) => {
      const fitting: Array<Hypothesis> = []
      let total = 0
      for (const { state, weight } of belief) {
        for (const each of expandState(grammar, state)) {
          if (each.word !== word) continue
          total += weight * each.probability
          fitting.push({ state: each.next ?? start, weight: weight * each.probability })
        }
      }
      belief =
        word === grammar.end && total > 0
          ? [{ state: start, weight: 1 }]
          : fitting.map(({ state, weight }) => ({ state, weight: weight / total }))
      return total
    },
  }
}
