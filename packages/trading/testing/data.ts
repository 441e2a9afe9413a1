import { dataFolder } from "@espalier/testing"
import { join } from "node:path"

/** A file of real prices and news. */
export const pricesOf = (asset: "btc" | "eth" | "msft" | "jnj"): string =>
  join(dataFolder, "crypto", `${asset}.json`)
