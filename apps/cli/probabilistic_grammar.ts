/** A part of a text: what may stand at a place, and what it remembers. */
export type Item =
  /** Words that are always the same, separated by spaces. */
  string | Choice | Recall | Branch

/** A word drawn evenly from `pool` (without the one in slot `except`) and kept in `slot`. */
export interface Choice {
  readonly kind: "choice"
  readonly pool: ReadonlyArray<string>
  readonly slot?: string
  readonly except?: string
}

/** The word kept in `slot`, or what `table` makes of it. */
export interface Recall {
  readonly kind: "recall"
  readonly slot: string
  readonly table?: ReadonlyMap<string, string>
}

/** One of several continuations, drawn with its probability and known by its first word. */
export interface Branch {
  readonly kind: "branch"
  readonly alternatives: ReadonlyArray<readonly [probability: number, items: ReadonlyArray<Item>]>
}

/** A word drawn evenly from a pool. */
export const choose = (
  pool: ReadonlyArray<string>,
  options: { readonly slot?: string; readonly except?: string } = {},
): Choice => ({ kind: "choice", pool, ...options })

/** A word that was drawn before. */
export const recall = (slot: string, table?: ReadonlyMap<string, string>): Recall => ({
  kind: "recall",
  slot,
  ...(table === undefined ? {} : { table }),
})

/** One of several continuations. The probabilities add up to 1. */
export const branch = (...alternatives: Branch["alternatives"]): Branch => ({
  kind: "branch",
  alternatives,
})

/** A place in the grammar: at most one word, and where it leads. */
export type Node =
  | { readonly kind: "word"; readonly word: string; readonly next: Node }
  | { readonly kind: "choice"; readonly choice: Choice; readonly next: Node }
  | { readonly kind: "recall"; readonly recall: Recall; readonly next: Node }
  | { readonly kind: "branch"; readonly alternatives: ReadonlyArray<readonly [number, Node]> }
  | { readonly kind: "end" }

/** A place together with the words that are known to be in the slots. */
export interface State {
  readonly node: Node
  readonly slots: Readonly<Record<string, string>>
}

/** A word that may come next, how likely it is, and where it leads. `next` is absent after the end. */
export interface Continuation {
  readonly word: string
  readonly probability: number
  readonly next?: State
}

/** A grammar in which every prefix of a text has exactly one derivation. */
export interface Grammar {
  readonly start: Node
  /** The word that stands for the end of a text. */
  readonly end: string
  /** Every word but the end, sorted. */
  readonly vocabulary: ReadonlyArray<string>
  /** How each slot is filled. */
  readonly slots: ReadonlyMap<string, Choice>
}

/**
 * Makes a grammar of a template. Each random choice shows in the very word at which it is made: the
 * alternatives of a branch begin with different words (throws a `RangeError` otherwise), and a drawn
 * word shows itself. So the words so far tell the state, and the predictive entropy of the text is the
 * entropy of its derivation.
 *
 * @example
 * ```ts
 * const grammar = makeGrammar(
 *   [choose(["Tom", "Mia"], { slot: "name" }), "ran and", recall("name"), "hid ."],
 *   "<s>",
 * )
 * ```
 */
export const makeGrammar = (items: ReadonlyArray<Item>, end: string): Grammar => {
  const slots = new Map<string, Choice>()
  const vocabulary = new Set<string>()

  const noteSlot = (choice: Choice) => {
    if (choice.slot === undefined) return
    const known = slots.get(choice.slot) ?? choice
    if (known.pool !== choice.pool || known.except !== choice.except) {
      throw new RangeError(`slot ${choice.slot} must be filled in one way only`)
    }
    slots.set(choice.slot, choice)
  }
  const collect = (parts: ReadonlyArray<Item>): void => {
    for (const item of parts) {
      if (typeof item === "string") for (const word of item.split(" ")) vocabulary.add(word)
      else if (item.kind === "choice") {
        for (const word of item.pool) vocabulary.add(word)
        noteSlot(item)
      } else if (item.kind === "recall") {
        for (const word of item.table?.values() ?? []) vocabulary.add(word)
      } else for (const [, alternative] of item.alternatives) collect(alternative)
    }
  }
  collect(items)

  /** The words with which a text may go on at a node, whatever the slots hold. */
  const firstWords = (node: Node): ReadonlyArray<string> => {
    switch (node.kind) {
      case "word":
        return [node.word]
      case "choice":
        return node.choice.pool
      case "recall": {
        const { slot, table } = node.recall
        const pool = slots.get(slot)?.pool
        if (pool === undefined) throw new RangeError(`nothing fills slot ${slot}`)
        return table === undefined ? pool : [...new Set(pool.map((word) => lookUp(table, word)))]
      }
      case "branch":
        return node.alternatives.flatMap(([, alternative]) => firstWords(alternative))
      case "end":
        return [end]
    }
  }

  const compile = (parts: ReadonlyArray<Item>, after: Node): Node =>
    parts.reduceRight<Node>((next, item) => {
      if (typeof item === "string") {
        return item
          .split(" ")
          .reduceRight<Node>((rest, word) => ({ kind: "word", word, next: rest }), next)
      }
      if (item.kind === "choice") return { kind: "choice", choice: item, next }
      if (item.kind === "recall") return { kind: "recall", recall: item, next }
      const node: Node = {
        kind: "branch",
        alternatives: item.alternatives.map(([probability, alternative]) => [
          probability,
          compile(alternative, next),
        ]),
      }
      const total = item.alternatives.reduce((sum, [probability]) => sum + probability, 0)
      if (Math.abs(total - 1) > 1e-12) throw new RangeError(`a branch adds up to ${total}`)
      const words = firstWords(node)
      const repeated = words.find((word, i) => words.indexOf(word) !== i)
      if (repeated !== undefined) throw new RangeError(`two alternatives begin with ${repeated}`)
      return node
    }, after)

  const start = compile(items, { kind: "end" })
  if (vocabulary.has(end)) throw new RangeError(`${end} is a word and the end`)
  return { start, end, vocabulary: [...vocabulary].sort(), slots }
}

const lookUp = (table: ReadonlyMap<string, string>, word: string): string => {
  const found = table.get(word)
  if (found === undefined) throw new RangeError(`${word} is missing from a table`)
  return found
}

/** The words that `choice` is drawn from, given what is known. */
const poolOf = (choice: Choice, slots: State["slots"]): ReadonlyArray<string> =>
  choice.except === undefined
    ? choice.pool
    : choice.pool.filter((word) => word !== slots[choice.except ?? ""])

/** All ways to fill a slot that is not known, each as likely as the others. */
const fillings = (
  grammar: Grammar,
  slot: string,
  slots: State["slots"],
): ReadonlyArray<State["slots"]> => {
  if (slots[slot] !== undefined) return [slots]
  const choice = grammar.slots.get(slot)!
  const outer = choice.except === undefined ? [slots] : fillings(grammar, choice.except, slots)
  return outer.flatMap((known) => poolOf(choice, known).map((word) => ({ ...known, [slot]: word })))
}

/**
 * What may come next, and how likely it is. The probabilities add up to 1. In a state whose slots are
 * known the words differ; a slot that is not known counts with all its possible words, and one word may
 * then lead to several states.
 */
export const continuations = (grammar: Grammar, state: State): ReadonlyArray<Continuation> => {
  const { node, slots } = state
  switch (node.kind) {
    case "word":
      return [{ word: node.word, probability: 1, next: { node: node.next, slots } }]
    case "choice": {
      const { slot, except } = node.choice
      const known = except === undefined ? [slots] : fillings(grammar, except, slots)
      return known.flatMap((each) => {
        const pool = poolOf(node.choice, each)
        return pool.map((word) => ({
          word,
          probability: 1 / (known.length * pool.length),
          next: { node: node.next, slots: slot === undefined ? each : { ...each, [slot]: word } },
        }))
      })
    }
    case "recall": {
      const { slot, table } = node.recall
      const known = fillings(grammar, slot, slots)
      return known.map((each) => ({
        word: table === undefined ? each[slot] : lookUp(table, each[slot]),
        probability: 1 / known.length,
        next: { node: node.next, slots: each },
      }))
    }
    case "branch":
      return node.alternatives.flatMap(([probability, alternative]) =>
        continuations(grammar, { node: alternative, slots }).map((continuation) => ({
          ...continuation,
          probability: probability * continuation.probability,
        })),
      )
    case "end":
      return [{ word: grammar.end, probability: 1 }]
  }
}
