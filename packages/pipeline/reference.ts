/** A reference as it is written: `$step`, `$step.output`, `$step[sparsity=0.5].output`. */
export interface WrittenReference {
  /** The step, with what stands in brackets behind it. */
  readonly step: string
  /** What follows the first dot after that. */
  readonly output: string | undefined
}

/** Takes a reference apart; `undefined` where a value is none. */
export const parseReferenceText = (value: unknown): WrittenReference | undefined => {
  if (typeof value !== "string" || !value.startsWith("$")) return undefined
  // Values in brackets may have dots in them.
  const [, step, output] = /^\$([^.[]*(?:\[[^\]]*\])?)(?:\.(.*))?$/s.exec(value) ?? []
  return step === undefined ? { step: value.slice(1), output: undefined } : { step, output }
}

/** The reference to another step in the place of the one that is named. */
export const withStep = ({ output }: WrittenReference, step: string): string =>
  output === undefined ? `$${step}` : `$${step}.${output}`
