/** Adding and taking this away leaves a number below 2⁵¹ rounded to a whole one, half to even. */
const whole = 1.5 * 2 ** 52

/** The nearest whole number; of two as near, the even one (as `Tensor.round`, and unlike `Math.round`). */
export const roundToEven = (value: number): number => value + whole - whole

/** Nearest of 0 … `most`. */
export const clampCode = (value: number, most: number): number =>
  value < 0 ? 0 : value > most ? most : value
