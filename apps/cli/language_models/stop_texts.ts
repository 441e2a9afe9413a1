/** Gives out a text as it comes until one of some texts stands in it. */
export interface StopTexts {
  /** What may be given out now; the beginning of a stop text is held back. */
  readonly push: (text: string) => string
  /** What was held back, if no stop text came. */
  readonly flush: () => string
  readonly stopped: () => boolean
}

/** Watches a text for the first of some texts that end it. */
export const makeStopTexts = (stops: ReadonlyArray<string>): StopTexts => {
  const watched = stops.filter((stop) => stop !== "")
  let held = ""
  let stopped = false

  /** The length of the longest end of what is held that may become a stop text. */
  const begun = (): number => {
    const longest = Math.max(0, ...watched.map((stop) => stop.length - 1))
    for (let length = Math.min(longest, held.length); length > 0; length--) {
      const end = held.slice(-length)
      if (watched.some((stop) => stop.startsWith(end))) return length
    }
    return 0
  }

  return {
    push: (text) => {
      if (stopped) return ""
      held += text
      const places = watched.map((stop) => held.indexOf(stop)).filter((place) => place >= 0)
      if (places.length > 0) {
        stopped = true
        return held.slice(0, Math.min(...places))
      }
      const keep = begun()
      const given = held.slice(0, held.length - keep)
      held = held.slice(held.length - keep)
      return given
    },
    flush: () => (stopped ? "" : held),
    stopped: () => stopped,
  }
}
