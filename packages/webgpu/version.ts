/** The version of this package; part of the key of everything that is kept between processes. */
export const version = "0.1.0"
