/** What an agent may say of a day. */
export type Action = "buy" | "sell" | "hold"

/**
 * What an action stands for: a position of 1 (long), −1 (short) or 0 (none). To hold is to have no
 * position, as in the challenge; it is not to keep the one there is.
 */
export type Direction = -1 | 0 | 1

const directions = { buy: 1, sell: -1, hold: 0 } as const

/** The position that an action asks for. */
export const directionOf = (action: Action): Direction => directions[action]

/** The action that asks for a position of this sign. */
export const actionOf = (sign: number): Action => (sign > 0 ? "buy" : sign < 0 ? "sell" : "hold")
