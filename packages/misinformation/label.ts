/** What a claim may turn out to be; `NEI` is not enough information. */
export type Label = "True" | "False" | "NEI"

/** The labels, in the order in which probabilities and confusion matrices have them. */
export const labels: ReadonlyArray<Label> = ["True", "False", "NEI"]

/** The label that a word names, whatever its case; none where it names no label. */
export const labelOf = (word: string): Label | undefined => {
  const lower = word.toLowerCase()
  return labels.find((label) => label.toLowerCase() === lower)
}
