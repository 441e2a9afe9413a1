import type { Direction } from "./action.ts"
import type { BrokerRules } from "./broker_options.ts"

/** What is owned. Units below 0 are sold short. */
export interface Account {
  readonly cash: number
  readonly units: number
}

/** A trade that was made. */
export interface Trade {
  /** Bought, or sold where it is below 0. */
  readonly units: number
  /** What one unit was bought or sold at, spread and slippage included. */
  readonly price: number
  /** What was paid for it, in the quote currency. */
  readonly fee: number
}

/** What an account is worth at a price. */
export const equityAt = ({ cash, units }: Account, price: number): number => cash + units * price

/**
 * Units that an account should hold for a direction at a price. All of the equity is bought, or as much
 * as `shortLimit` says of it is sold short, after what it costs to get there.
 */
const wantedUnits = (
  { cash, units }: Account,
  direction: Direction,
  price: number,
  { fee, spread, slippage, shortLimit, lot }: BrokerRules,
): number => {
  const equity = cash + units * price
  if (direction === 0 || equity <= 0) return 0
  const away = spread / 2 + slippage
  let wanted: number
  if (direction > 0) {
    // Nothing is left of the cash, which has what short sales brought in.
    wanted = Math.max(0, units + cash / (price * (1 + away) * (1 + fee)))
  } else {
    // Sell q (or buy −q) so that the units short are worth that share of the equity after what it costs.
    const short = units + (shortLimit * equity) / price
    const lost = short > 0 ? 1 - (1 - away) * (1 - fee) : 1 - (1 + away) * (1 + fee)
    wanted = Math.min(0, units - short / (1 + shortLimit * lost))
  }
  // A whole lot is not lost to the last bit of a division.
  return lot === 0 ? wanted : Math.sign(wanted) * Math.floor(Math.abs(wanted) / lot + 1e-9) * lot
}

/**
 * Brings an account to a direction at a price. A long position that is there is kept; a short one is
 * brought back to its share of the equity, so that a day at −1 earns minus the asset's return. An account
 * that is worth nothing closes what it has.
 */
export const trade = (
  account: Account,
  direction: Direction,
  price: number,
  rules: BrokerRules,
): { readonly account: Account; readonly trade?: Trade } => {
  const solvent = equityAt(account, price) > 0
  if (direction > 0 && account.units > 0 && solvent) return { account }
  const units = wantedUnits(account, direction, price, rules) - account.units
  if (units === 0) return { account }
  const away = rules.spread / 2 + rules.slippage
  const paid = price * (units > 0 ? 1 + away : 1 - away)
  const fee = Math.abs(units) * paid * rules.fee
  const cash = account.cash - units * paid - fee
  return {
    account: { cash, units: account.units + units },
    trade: { units, price: paid, fee },
  }
}
