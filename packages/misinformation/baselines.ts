import { mean, rougeN, rougeTokens } from "@espalier/evaluation"
import type { Verdict } from "./detector.ts"
import { type Label, labels } from "./label.ts"
import type { Claim, Item } from "./item.ts"
import { segmentsOf } from "./segments.ts"

/** The first words of a context. */
export const leadWords = (context: string, words: number): string => {
  const found = Array.from(context.matchAll(/\S+/g)).slice(0, words)
  return context.slice(0, (found.at(-1)?.index ?? 0) + (found.at(-1)?.[0].length ?? 0))
}

/** What a baseline answers: the label that most items have, and the first `words` words. */
export const leadVerdict = ({ context }: Claim, label: Label, words: number): Verdict => {
  const explanation = leadWords(context, words)
  const start = context.search(/\S|$/)
  return {
    label,
    probabilities: labels.map((each) => (each === label ? 1 : 0)),
    explanation,
    evidence: [{ start, end: explanation.length }],
  }
}

/** The label that most items have; the first of {@link labels} where several do. */
export const majorityLabel = (items: ReadonlyArray<{ readonly label: Label }>): Label =>
  labels.reduce((best, label) => {
    const count = (which: Label) => items.filter((item) => item.label === which).length
    return count(label) > count(best) ? label : best
  })

/** Of these lengths the one with the largest mean ROUGE-1 on these very items: the baseline at its best. */
export const bestLead = (items: ReadonlyArray<Item>, lengths: ReadonlyArray<number>): number => {
  const scores = lengths.map((words) =>
    mean(
      items.map(
        ({ context, explanation }) =>
          rougeN(rougeTokens(explanation), rougeTokens(leadWords(context, words)), 1).f1,
      ),
    ),
  )
  return lengths[scores.indexOf(Math.max(...scores))]
}

/** What extraction can reach: all sentences of which most runs of three tokens stand in the explanation. */
export const oracleExplanation = ({ context, explanation }: Item): string => {
  const gramsOf = (text: string) => {
    const tokens = rougeTokens(text)
    return tokens.slice(2).map((_, i) => tokens.slice(i, i + 3).join(" "))
  }
  const wanted = new Set(gramsOf(explanation))
  return segmentsOf(context)
    .spans.map(({ start, end }) => context.slice(start, end))
    .filter((sentence) => {
      const grams = gramsOf(sentence)
      return grams.length > 0 && grams.filter((gram) => wanted.has(gram)).length > grams.length / 2
    })
    .join(" ")
}
