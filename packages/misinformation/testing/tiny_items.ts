import { uniformNumbers } from "@espalier/evaluation"
import type { Item } from "../item.ts"
import { type Label, labels } from "../label.ts"

const syllables = ["ba", "ko", "ri", "mu", "te", "la", "so", "ni", "pe", "du"]

const verdicts: Readonly<Record<Label, string>> = {
  True: "Records confirm that this is correct.",
  False: "The photograph is fake and the story a hoax.",
  NEI: "It remains unclear what happened.",
}

/** Items whose label and explanation are one sentence among sentences that say nothing. */
export const tinyItems = (count: number, seed = 0): ReadonlyArray<Item> => {
  const next = uniformNumbers(seed)
  const syllable = () => syllables[Math.floor(next() * syllables.length)]
  /** A sentence of words that mean nothing and do not come twice. */
  const noise = (words: number) => {
    const made = Array.from({ length: words }, () => syllable() + syllable() + syllable()).join(" ")
    return `${made[0].toUpperCase()}${made.slice(1)}.`
  }
  return Array.from({ length: count }, (_, i) => {
    const label = labels[i % labels.length]
    const parts = [noise(9), `${noise(6)} ${verdicts[label]}`, noise(9), noise(9)]
    return {
      claim: `District ${i}: ${noise(6)}`,
      context: (next() < 0.5 ? parts : parts.toReversed()).join(" "),
      label,
      explanation: verdicts[label],
    }
  })
}
