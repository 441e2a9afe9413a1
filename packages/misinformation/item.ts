import type { Label } from "./label.ts"

/** A claim, and the text that may say whether it is true. */
export interface Claim {
  readonly claim: string
  readonly context: string
}

/** A claim with its right label and the explanation that goes with it. */
export interface Item extends Claim {
  readonly label: Label
  readonly explanation: string
}

const head = `Task: Please determine whether the claim is True, False, or Not Enough Information (NEI) based on contextual information, and provide an appropriate explanation.
The answer need to use the following format:
Prediction: [True, or False, or NEI]
Explanation: [Explain why the above prediction was made]
`
const beforeClaim = " Claim:"
const beforeContext = "contextual information:"

/** The challenge's prompt for a claim, to the letter. */
export const formatInstruction = ({ claim, context }: Claim): string =>
  `${head}${beforeClaim} ${claim} \n${beforeContext} ${context}`

/** The claim and the context of an instruction; none where it has not both markers in their order. */
export const parseInstruction = (instruction: string): Claim | undefined => {
  // The task says "contextual information" too, but ends it with a comma.
  const atClaim = instruction.indexOf(beforeClaim)
  const atContext = instruction.indexOf(beforeContext, atClaim)
  if (atClaim === -1 || atContext === -1) return undefined
  return {
    claim: instruction.slice(atClaim + beforeClaim.length, atContext).trim(),
    context: instruction.slice(atContext + beforeContext.length).trim(),
  }
}

/**
 * An answer as the challenge writes it. Its script parts outputs at `Assistant:`, so that these words
 * are kept out of the explanation by a space.
 */
export const formatOutput = (label: Label, explanation: string): string =>
  `Prediction: ${label}.\nExplanation: ${explanation.replaceAll("Assistant:", "Assistant :")}`
