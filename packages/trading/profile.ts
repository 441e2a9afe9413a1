/** Who trades, and what: it stands at the head of prompts, and says how careful an agent is. */
export interface Profile {
  /** The asset's name, for prompts: `"Bitcoin (BTC)"`. */
  readonly asset: string
  /** What a trader of this asset should know, in a few sentences. */
  readonly background: string
  /**
   * `"seeking"` acts on weak signals, `"averse"` on strong ones; `"adaptive"` is averse while the last
   * decisions lost and seeking otherwise.
   */
  readonly risk: "seeking" | "averse" | "adaptive"
}

/** How careful an agent is today, after what its last settled decisions came to. */
export const riskOf = ({ risk }: Profile, settled: ReadonlyArray<number>): "seeking" | "averse" =>
  risk === "adaptive" ? (settled.reduce((sum, r) => sum + r, 0) < 0 ? "averse" : "seeking") : risk

/**
 * The profile of an asset of the data sets, or a plain one for any other name.
 *
 * @example
 * ```ts
 * import { profileOf } from "@espalier/trading"
 * console.log(profileOf("btc").asset, profileOf("XYZ").asset) // Bitcoin (BTC) XYZ
 * ```
 */
export const profileOf = (asset: string): Profile => {
  const crypto =
    "Its price moves on regulation, exchanges and their failures, flows of large holders, interest rates, and the mood of the market. It is traded every day of the week."
  const share =
    "Its price moves on quarterly results, products, law suits and regulation, and with the market as a whole. It is traded on working days."
  const known: Readonly<Record<string, readonly [name: string, background: string]>> = {
    btc: ["Bitcoin (BTC)", crypto],
    eth: ["Ether (ETH)", crypto],
    msft: ["Microsoft (MSFT)", share],
    jnj: ["Johnson & Johnson (JNJ)", share],
  }
  const [name, background] = known[asset.toLowerCase()] ?? [asset, ""]
  return { asset: name, background, risk: "adaptive" }
}
