/** Everything that moves elements without computing. */
import { concatRow } from "./concat.ts"
import { padRow, sliceRow } from "./slices.ts"
import { broadcastRow, flipRow, permuteRow, reshapeRow } from "./views.ts"

export * from "./concat.ts"
export * from "./slices.ts"
export * from "./views.ts"

export const movementRows = [
  reshapeRow,
  permuteRow,
  broadcastRow,
  sliceRow,
  padRow,
  flipRow,
  concatRow,
]
